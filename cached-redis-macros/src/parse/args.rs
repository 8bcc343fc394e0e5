//! What was written between the parentheses, with its spans.
//!
//! Parsing only sorts the pieces; whether they make sense together is `validate.rs`. A piece that
//! cannot be read is recorded and skipped, so the pieces after it are still checked.

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitStr, Path};

use crate::parse::errors::Errors;
use crate::parse::option::{Each, Word, Written};
use crate::parse::piece::{Piece, pieces};
use crate::parse::tags;
use crate::parse::words::{self, Options};

/// From one table: the options of an attribute, how each is read, what holds them as written, those that a
/// second attribute has as well, and behind a `+` those that it alone has.
macro_rules! options {
    (
        $(#[$doc:meta])+ $args:ident $(, and $other:literal)*;
        $($name:literal $field:ident: $type:ty = $read:path $(, $too:ident)?;)+
        $(+ $second:literal $second_field:ident: $second_type:ty = $second_read:path;)*
        $($(#[$held_doc:meta])+ $held:ident: $held_type:ty;)*
    ) => {
        $(#[$doc])+
        #[derive(Clone, Default)]
        pub(crate) struct $args {
            $(pub(crate) $field: Option<$type>,)+
            $(pub(crate) $second_field: Option<$second_type>,)*
            $($(#[$held_doc])+ pub(crate) $held: $held_type,)*
        }

        impl $args {
            /// All options, and those that the second attribute has.
            const KNOWN: [&[&str]; 2] = [&[$($other,)* $($name),+], &[$($($too!($name),)?)+ $($second),*]];

            /// Takes an option of the table, and tells whether it could be read.
            fn set(&mut self, option: Written, errors: &mut Errors) -> bool {
                match option.name.to_string().as_str() {
                    $($name => option.set(&mut self.$field, $read, errors),)+
                    $($second => option.set(&mut self.$second_field, $second_read, errors),)*
                    _ => true,
                }
            }
        }
    };
}

/// Marks an option of `#[redis_cached]` that means the same in `#[write_through]`.
macro_rules! both {
    ($name:literal) => {
        $name
    };
}

options! {
    /// `#[redis_cached(…)]` as written, and `#[write_through(…)]`, which has some of its options.
    CachedArgs;
    "key" key: LitStr = Written::string, both;
    "ttl" ttl: Expr = Written::expression, both;
    "ttl_with" ttl_with: Path = Written::function, both;
    "jitter" jitter: Expr = Written::expression, both;
    "negative_ttl" negative_ttl: Expr = Written::expression, both;
    "stale_while_revalidate" stale_while_revalidate: Expr = Written::expression, both;
    "stale_if_error" stale_if_error: Expr = Written::expression, both;
    "refresh_ahead" refresh_ahead: Expr = Written::expression;
    "early_expiry" early_expiry: Expr = Written::expression;
    "soft_timeout" soft_timeout: Expr = Written::expression;
    "timeout" timeout: Expr = Written::expression;
    "audit" audit: Expr = Written::expression;
    "compress" compress: Expr = Written::expression, both;
    "local" local: Expr = Written::expression;
    "checked" checked: () = Written::flag;
    "version" version: Path = Written::function;
    "tags" tags: Vec<LitStr> = tags::list, both;
    "batch" batch: Each = Written::each;
    "skip" skip: Vec<Ident> = Written::names;
    "codec" codec: Path = Written::codec, both;
    "schema" schema: LitStr = Written::string;
    "condition" condition: Expr = Written::expression;
    "unless" unless: Expr = Written::expression, both;
    "nested" nested: bool = Written::switch;
    "cache" cache: Expr = Written::expression, both;
    "policy" policy: LitStr = Written::string, both;
    "crate" krate: Path = Written::krate, both;
    + "settled" settled: () = Written::flag;
    /// Options that were meant and could not be read.
    unread: Vec<String>;
}

options! {
    /// `#[invalidates(…)]` as written.
    InvalidatesArgs, and "tag";
    "when" when: LitStr = Written::string;
    "guard" guard: Word = Written::word;
    "replica_lag" replica_lag: Expr = Written::expression;
    "publish" publish: () = Written::flag;
    "settled" settled: () = Written::flag;
    "cache" cache: Expr = Written::expression;
    "crate" krate: Path = Written::krate;
    /// The keys, which have no name.
    targets: Vec<LitStr>;
    /// Each `tag`, which may be given more than once.
    tags: Vec<LitStr>;
    /// Something could not be read, so that nobody knows whether a target is missing.
    unread: bool;
    /// `when` was meant, and could not be read.
    unread_when: bool;
}

options! {
    /// `#[write_behind(…)]` as written.
    BehindArgs;
    "queue" queue: LitStr = Written::string;
    "key" key: LitStr = Written::string;
    "value" value: Expr = Written::expression;
    "max_queue" max_queue: Expr = Written::expression;
    "max_lag" max_lag: Expr = Written::expression;
    "coalesce" coalesce: () = Written::flag;
    "cache" cache: Expr = Written::expression;
    "crate" krate: Path = Written::krate;
    /// Options that were meant and could not be read.
    unread: Vec<String>;
}

const CACHED: Options = Options {
    attribute: "redis_cached",
    before: "",
    known: CachedArgs::KNOWN[0],
};

const WRITE_THROUGH: Options = Options {
    attribute: "write_through",
    before: "",
    known: CachedArgs::KNOWN[1],
};

const INVALIDATES: Options = Options {
    attribute: "invalidates",
    before: "exact keys, then ",
    known: InvalidatesArgs::KNOWN[0],
};

const WRITE_BEHIND: Options = Options {
    attribute: "write_behind",
    before: "",
    known: BehindArgs::KNOWN[0],
};

pub(crate) const ALL: &[&Options] = &[&CACHED, &INVALIDATES, &WRITE_THROUGH, &WRITE_BEHIND];

impl CachedArgs {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        Self::parse_for(&CACHED, tokens, errors)
    }

    /// Those of `#[write_through]`.
    pub(crate) fn parse_through(tokens: TokenStream, errors: &mut Errors) -> Self {
        Self::parse_for(&WRITE_THROUGH, tokens, errors)
    }

    fn parse_for(options: &Options, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let set = |option, errors: &mut Errors| args.set(option, errors);
        args.unread = named(options, tokens, errors, set);
        args
    }

    /// Whether one of these options was meant and could not be read: what follows from its absence is
    /// no mistake of its own.
    pub(crate) fn meant(&self, options: &[&str]) -> bool {
        self.unread
            .iter()
            .any(|unread| options.contains(&unread.as_str()))
    }
}

impl BehindArgs {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let set = |option, errors: &mut Errors| args.set(option, errors);
        args.unread = named(&WRITE_BEHIND, tokens, errors, set);
        args
    }

    /// See [`CachedArgs::meant`].
    pub(crate) fn meant(&self, option: &str) -> bool {
        self.unread.iter().any(|unread| unread == option)
    }
}

/// Reads options that all have a name; those that were meant and could not be read.
fn named(
    options: &Options,
    tokens: TokenStream,
    errors: &mut Errors,
    mut set: impl FnMut(Written, &mut Errors) -> bool,
) -> Vec<String> {
    let mut unread = Vec::new();
    for piece in pieces(tokens, errors) {
        match piece {
            Piece::Key(key) => {
                let help = format!("write `key = {:?}`", key.value());
                errors.refuse(&key, "a key without its name", help);
                unread.push("key".to_owned());
            }
            Piece::Option(option) if options.known.contains(&option.name.to_string().as_str()) => {
                let name = option.name.to_string();
                if !set(option, errors) {
                    unread.push(name);
                }
            }
            Piece::Option(option) => {
                // A misspelt `ttl` is one mistake, and not a missing one as well.
                let meant = words::refuse(&option.name, options, ALL, errors);
                unread.extend(meant.map(str::to_owned));
            }
        }
    }
    unread
}

impl InvalidatesArgs {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        for piece in pieces(tokens, errors) {
            match piece {
                Piece::Key(key) => args.target(key, errors),
                Piece::Option(option) => args.take(option, errors),
            }
        }
        args.unread = errors.has_any();
        args
    }

    fn target(&mut self, key: LitStr, errors: &mut Errors) {
        if self
            .targets
            .iter()
            .any(|other| other.value() == key.value())
        {
            errors.refuse(&key, "this key is named twice", "remove one of them");
        } else {
            self.targets.push(key);
        }
    }

    fn take(&mut self, option: Written, errors: &mut Errors) {
        let name = option.name.to_string();
        let read = match name.as_str() {
            "tag" => {
                let tag = option.read(Written::string, errors);
                tags::add(&mut self.tags, tag, errors);
                true
            }
            "key" | "keys" => {
                let help = "write the keys one after the other: `#[invalidates(\"user:<id>\")]`";
                errors.refuse(&option.name, "a key of `#[invalidates]` has no name", help);
                true
            }
            known if INVALIDATES.known.contains(&known) => self.set(option, errors),
            _ => {
                let meant = words::refuse(&option.name, &INVALIDATES, ALL, errors);
                self.unread_when |= meant == Some("when");
                true
            }
        };
        self.unread_when |= !read && name == "when";
    }
}
