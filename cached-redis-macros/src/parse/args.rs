//! What was written between the parentheses, with its spans.
//!
//! Parsing only sorts the pieces; whether they make sense together is `validate.rs`. A piece that
//! cannot be read is recorded and skipped, so the pieces after it are still checked.

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitStr, Path};

use crate::parse::errors::Errors;
use crate::parse::option::{Each, Piece, Word, Written, pieces};
use crate::parse::tags;
use crate::parse::words::{self, Options};

const CACHED: Options = Options {
    attribute: "redis_cached",
    before: "",
    known: &[
        "key",
        "ttl",
        "ttl_with",
        "jitter",
        "negative_ttl",
        "stale_while_revalidate",
        "stale_if_error",
        "refresh_ahead",
        "early_expiry",
        "soft_timeout",
        "timeout",
        "audit",
        "version",
        "tags",
        "batch",
        "skip",
        "codec",
        "schema",
        "condition",
        "unless",
        "nested",
        "cache",
        "policy",
        "crate",
    ],
};

/// They mean the same as those of `#[redis_cached]`.
const WRITE_THROUGH: Options = Options {
    attribute: "write_through",
    before: "",
    known: &[
        "key",
        "ttl",
        "ttl_with",
        "jitter",
        "negative_ttl",
        "stale_while_revalidate",
        "stale_if_error",
        "tags",
        "codec",
        "unless",
        "cache",
        "policy",
        "crate",
    ],
};

const INVALIDATES: Options = Options {
    attribute: "invalidates",
    before: "exact keys, then ",
    known: &[
        "tag",
        "when",
        "guard",
        "replica_lag",
        "publish",
        "cache",
        "crate",
    ],
};

const ALL: &[&Options] = &[&CACHED, &WRITE_THROUGH, &INVALIDATES];

/// `#[redis_cached(…)]` as written.
#[derive(Clone, Default)]
pub(crate) struct CachedArgs {
    pub(crate) key: Option<LitStr>,
    pub(crate) ttl: Option<Expr>,
    pub(crate) ttl_with: Option<Path>,
    pub(crate) jitter: Option<Expr>,
    pub(crate) negative_ttl: Option<Expr>,
    pub(crate) stale_while_revalidate: Option<Expr>,
    pub(crate) stale_if_error: Option<Expr>,
    pub(crate) refresh_ahead: Option<Expr>,
    pub(crate) early_expiry: Option<Expr>,
    pub(crate) soft_timeout: Option<Expr>,
    pub(crate) timeout: Option<Expr>,
    pub(crate) audit: Option<Expr>,
    pub(crate) version: Option<Path>,
    pub(crate) tags: Option<Vec<LitStr>>,
    pub(crate) batch: Option<Each>,
    pub(crate) skip: Option<Vec<Ident>>,
    pub(crate) codec: Option<Path>,
    pub(crate) schema: Option<LitStr>,
    pub(crate) condition: Option<Expr>,
    pub(crate) unless: Option<Expr>,
    pub(crate) nested: Option<bool>,
    pub(crate) cache: Option<Expr>,
    pub(crate) policy: Option<LitStr>,
    pub(crate) krate: Option<Path>,
    unread: Vec<String>,
}

/// `#[invalidates(…)]` as written.
#[derive(Clone, Default)]
pub(crate) struct InvalidatesArgs {
    pub(crate) targets: Vec<LitStr>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) when: Option<LitStr>,
    pub(crate) guard: Option<Word>,
    pub(crate) replica_lag: Option<Expr>,
    pub(crate) publish: Option<()>,
    pub(crate) cache: Option<Expr>,
    pub(crate) krate: Option<Path>,
    /// Something could not be read, so that nobody knows whether a target is missing.
    pub(crate) unread: bool,
    /// `when` was meant, and could not be read.
    pub(crate) unread_when: bool,
}

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
        for piece in pieces(tokens, errors) {
            match piece {
                Piece::Key(key) => {
                    let help = format!("write `key = {:?}`", key.value());
                    errors.refuse(&key, "a key without its name", help);
                    args.unread.push("key".to_owned());
                }
                Piece::Option(option)
                    if options.known.contains(&option.name.to_string().as_str()) =>
                {
                    args.take(option, errors);
                }
                Piece::Option(option) => {
                    // A misspelt `ttl` is one mistake, and not a missing one as well.
                    let meant = words::refuse(&option.name, options, ALL, errors);
                    args.unread.extend(meant.map(str::to_owned));
                }
            }
        }
        args
    }

    /// Takes an option that is known.
    fn take(&mut self, option: Written, errors: &mut Errors) {
        let name = option.name.to_string();
        let read = match name.as_str() {
            "key" => option.set(&mut self.key, Written::string, errors),
            "ttl" => option.set(&mut self.ttl, Written::expression, errors),
            "ttl_with" => option.set(&mut self.ttl_with, Written::function, errors),
            "jitter" => option.set(&mut self.jitter, Written::expression, errors),
            "negative_ttl" => option.set(&mut self.negative_ttl, Written::expression, errors),
            "stale_while_revalidate" => option.set(
                &mut self.stale_while_revalidate,
                Written::expression,
                errors,
            ),
            "stale_if_error" => option.set(&mut self.stale_if_error, Written::expression, errors),
            "refresh_ahead" => option.set(&mut self.refresh_ahead, Written::expression, errors),
            "early_expiry" => option.set(&mut self.early_expiry, Written::expression, errors),
            "soft_timeout" => option.set(&mut self.soft_timeout, Written::expression, errors),
            "timeout" => option.set(&mut self.timeout, Written::expression, errors),
            "audit" => option.set(&mut self.audit, Written::expression, errors),
            "version" => option.set(&mut self.version, Written::function, errors),
            "tags" => option.set(&mut self.tags, tags::list, errors),
            "batch" => option.set(&mut self.batch, Written::each, errors),
            "skip" => option.set(&mut self.skip, Written::names, errors),
            "codec" => option.set(&mut self.codec, Written::codec, errors),
            "schema" => option.set(&mut self.schema, Written::string, errors),
            "condition" => option.set(&mut self.condition, Written::expression, errors),
            "unless" => option.set(&mut self.unless, Written::expression, errors),
            "nested" => option.set(&mut self.nested, Written::switch, errors),
            "cache" => option.set(&mut self.cache, Written::expression, errors),
            "policy" => option.set(&mut self.policy, Written::string, errors),
            "crate" => option.set(&mut self.krate, Written::krate, errors),
            _ => true,
        };
        if !read {
            self.unread.push(name);
        }
    }

    /// Whether one of these options was meant and could not be read: what follows from its absence is
    /// no mistake of its own.
    pub(crate) fn meant(&self, options: &[&str]) -> bool {
        self.unread
            .iter()
            .any(|unread| options.contains(&unread.as_str()))
    }
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
                let tag = option.string(errors);
                tags::add(&mut self.tags, tag, errors);
                true
            }
            "key" | "keys" => {
                let help = "write the keys one after the other: `#[invalidates(\"user:<id>\")]`";
                errors.refuse(&option.name, "a key of `#[invalidates]` has no name", help);
                true
            }
            "when" => option.set(&mut self.when, Written::string, errors),
            "guard" => option.set(&mut self.guard, Written::word, errors),
            "replica_lag" => option.set(&mut self.replica_lag, Written::expression, errors),
            "publish" => option.set(&mut self.publish, Written::flag, errors),
            "cache" => option.set(&mut self.cache, Written::expression, errors),
            "crate" => option.set(&mut self.krate, Written::krate, errors),
            _ => {
                let meant = words::refuse(&option.name, &INVALIDATES, ALL, errors);
                self.unread_when |= meant == Some("when");
                true
            }
        };
        self.unread_when |= !read && name == "when";
    }
}
