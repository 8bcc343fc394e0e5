//! A word that is no option here, and what to write instead.

use proc_macro2::Ident;

use crate::parse::errors::{Errors, list, near};

/// The options of one attribute.
pub(crate) struct Options {
    pub(crate) attribute: &'static str,
    pub(crate) known: &'static [&'static str],
    /// What stands before its options.
    pub(crate) before: &'static str,
}

/// Words of other caches, and ours. The first of ours that an attribute takes is meant.
const FOREIGN: &[(&str, &str)] = &[
    (
        "expire expires expires_in expire_in expiry expiration ex px age max_age time \
         lifetime ttl_secs ttl_seconds ttl_ms ttl_millis time_to_live",
        "ttl",
    ),
    ("swr grace stale soft_ttl", "stale_while_revalidate"),
    ("sie stale_on_error fail_safe", "stale_if_error"),
    ("name id prefix key_prefix cache_name convert", "key"),
    (
        "unless_null cache_none option null_ttl none_ttl",
        "negative_ttl",
    ),
    ("ignore exclude skip_args", "skip"),
    ("when only_if cond", "condition"),
    ("early_refresh refresh prefetch", "refresh_ahead"),
    ("serializer format encoding", "codec"),
    ("compression compressed gzip zstd", "compress"),
    ("client pool connection instance store", "cache"),
    ("label labels group groups depends_on", "tags tag"),
    ("tags", "tag"),
    ("tag", "tags"),
    ("lag delay", "replica_lag"),
];

/// How an option is written, where its value is no plain one.
pub(crate) fn form(option: &(impl ToString + ?Sized)) -> String {
    match option.to_string().as_str() {
        "key" => "`key = \"user:<id>\"`".to_owned(),
        "tags" => "`tags = [\"team:<team>\"]`".to_owned(),
        "tag" => "`tag = \"team:<team>\"`, once for each".to_owned(),
        "skip" => "`skip(…)`".to_owned(),
        "batch" => "`batch(id in ids)`".to_owned(),
        flag @ ("publish" | "settled" | "coalesce") => format!("`{flag}`"),
        "negative_ttl" => "`negative_ttl = 0`, which keeps no `None`".to_owned(),
        option => format!("`{option} = …`"),
    }
}

/// Refuses an option that `options` do not have; the one that was probably meant.
pub(crate) fn refuse(
    name: &Ident,
    options: &Options,
    all: &[&Options],
    errors: &mut Errors,
) -> Option<&'static str> {
    let Options {
        attribute,
        known,
        before,
    } = options;
    let word = name.to_string();
    let translated = translated(&word, known);
    let meant = translated.or_else(|| near(&word, known));
    let owner = all
        .iter()
        .find(|other| other.known.contains(&word.as_str()));
    let message = match owner {
        Some(owner) => format!(
            "`{word}` is an option of `#[{}]`, not of `#[{attribute}]`",
            owner.attribute
        ),
        None => format!("`{word}` is no option of `#[{attribute}]`"),
    };
    let help = match (translated, meant, owner) {
        (Some(ours), ..) => format!("write {}", form(ours)),
        (None, None, Some(owner)) => format!(
            "remove it, or put it on a function under `#[{}]`",
            owner.attribute
        ),
        (None, meant, _) => {
            let question = meant.map(|meant| format!("did you mean `{meant}`? "));
            format!(
                "{}it takes {before}{}",
                question.unwrap_or_default(),
                list(*known)
            )
        }
    };
    errors.refuse(name, message, help);
    meant
}

fn translated(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let rows = FOREIGN.iter();
    let rows = rows.filter(|(foreign, _)| foreign.split(' ').any(|it| it == word));
    let mut ours = rows.flat_map(|(_, ours)| ours.split(' '));
    ours.find(|ours| known.contains(ours))
}
