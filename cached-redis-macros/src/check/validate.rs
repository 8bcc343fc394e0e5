//! Arguments and signature → values that cannot be wrong.
//!
//! Each rule that needs both is a function here, named for what it refuses.

use proc_macro2::{Ident, Span};
use quote::{ToTokens as _, quote};
use syn::{Expr, LitStr, Path, Type};

use crate::check::batch::Batch;
use crate::check::content::{self, inside};
use crate::check::coverage::{check_accounted, check_skipped};
use crate::check::duration::{self, Life};
use crate::check::guard::{Guard, refuse_before, refuse_patterns, refuse_result};
use crate::check::key::{Key, Outcome};
use crate::check::outer_names::refuse_outer_names;
use crate::check::policy::Policy;
use crate::check::when::When;
use crate::check::{ownership, tag};
use crate::parse::args::{CachedArgs, InvalidatesArgs};
use crate::parse::errors::Errors;
use crate::parse::signature::Function;
use crate::parse::syntax::{argument, method_of};
use crate::parse::template::{Part, Template};

/// A cached function.
pub(crate) struct Cached {
    pub(crate) output: Type,
    pub(crate) key: Key,
    pub(crate) tags: Vec<Key>,
    pub(crate) policy: Policy,
    pub(crate) codec: Option<Path>,
    pub(crate) condition: Option<Expr>,
    pub(crate) unless: Option<Expr>,
    pub(crate) ttl_with: Option<Path>,
    /// Tells the source's version, given the function's own arguments.
    pub(crate) version: Option<Path>,
    pub(crate) timeout: Option<Life>,
    /// Of a write-through: whether it waits until no process serves what was there before.
    pub(crate) settled: bool,
    pub(crate) batch: Option<Batch>,
    /// Whether the load is made to own its arguments, so that it can go on without its caller.
    pub(crate) detached: bool,
    pub(crate) cache: Option<Expr>,
    pub(crate) krate: Option<Path>,
}

/// A function that writes what others cache.
pub(crate) struct Invalidates {
    pub(crate) targets: Vec<Key>,
    pub(crate) tags: Vec<Key>,
    pub(crate) when: When,
    pub(crate) guard: Option<Guard>,
    pub(crate) replica_lag: Option<Life>,
    pub(crate) publish: bool,
    pub(crate) settled: bool,
    pub(crate) cache: Option<Expr>,
    pub(crate) krate: Option<Path>,
}

impl Cached {
    /// `None` where something was refused.
    pub(crate) fn new(args: CachedArgs, function: &Function, errors: &mut Errors) -> Option<Self> {
        require_ttl(&args, errors);
        require_window(&args, errors);
        refuse_two_ttls(&args, errors);
        require_names(&args, function, errors);
        refuse_unless_of_errors(&args, function, errors);
        let policy = Policy::new(&args, function, errors);
        let detached = detached(&args, function, errors);
        let timeout = args.timeout.as_ref().and_then(|timeout| {
            refuse_outer_names("timeout", timeout, function, errors);
            duration::parse("timeout", timeout, false, errors)
        });
        let batch = args
            .batch
            .as_ref()
            .map(|each| Batch::new(each, &args, function, errors));
        let keyed = batch
            .as_ref()
            .map(|batch| batch.as_ref().map(|batch| batch.keyed(function)));
        // Where `batch` is misspelt, its element is no name either.
        let one = match &keyed {
            None => (!args.meant(&["batch"])).then_some(function),
            Some(keyed) => keyed.as_ref(),
        };
        let key = one.and_then(|one| key(&args, one, errors));
        let tags = one.and_then(|one| {
            let tags = args.tags.as_deref().unwrap_or_default();
            let tags = tag::resolve(tags, one, Outcome::Unknown, errors);
            tags.into_iter().collect::<Option<_>>()
        });
        let output = kept(
            "redis_cached",
            "a cached function",
            batch.is_some() || args.meant(&["batch"]),
            function,
            errors,
        );
        Some(Self {
            timeout,
            detached,
            batch: transposed(batch)?,
            tags: tags?,
            ..Self::of(args, policy, key, output)?
        })
    }

    /// A function whose value is written through: the same, of a key that is needed before it runs and
    /// names what it needs.
    pub(crate) fn through(
        args: CachedArgs,
        function: &Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        require_ttl(&args, errors);
        require_tags(&args, errors);
        refuse_two_ttls(&args, errors);
        refuse_unless_of_errors(&args, function, errors);
        let policy = Policy::new(&args, function, errors);
        let key = written_key(&args, function, errors);
        let tags = written_tags(&args, function, errors);
        let output = kept("write_through", "a write-through", false, function, errors);
        Some(Self {
            tags: tags?,
            ..Self::of(args, policy, key, output)?
        })
    }

    fn of(
        args: CachedArgs,
        policy: Policy,
        key: Option<Key>,
        output: Option<Type>,
    ) -> Option<Self> {
        let CachedArgs {
            codec,
            condition,
            unless,
            ttl_with,
            version,
            settled,
            cache,
            krate,
            ..
        } = args;
        Some(Self {
            output: output?,
            key: key?,
            tags: Vec::new(),
            timeout: None,
            settled: settled.is_some(),
            detached: false,
            batch: None,
            policy,
            codec,
            condition,
            unless,
            ttl_with,
            version,
            cache,
            krate,
        })
    }
}

/// Without a lifetime an entry would stay for ever; nothing is a good guess.
fn require_ttl(args: &CachedArgs, errors: &mut Errors) {
    let written = args.ttl.is_some() || args.ttl_with.is_some() || args.policy.is_some();
    if !written && !args.meant(&["ttl", "ttl_with", "policy"]) {
        errors.refuse_at(
            Span::call_site(),
            "`ttl` is missing",
            "write `ttl = 300`, `ttl = \"5m\"`, or name a policy: `policy = \"…\"`",
        );
    }
}

/// A reader may find its tags while it loads, so that nobody sees them but who writes it.
fn require_tags(args: &CachedArgs, errors: &mut Errors) {
    if args.tags.is_none() && !args.meant(&["tags"]) {
        errors.refuse_at(
            Span::call_site(),
            "`tags` is missing",
            "write the tags of those who read this key, found ones too: `tags = [\"…\"]`; \
             or `tags = []` if they carry none",
        );
    }
}

/// One of them would have no effect.
fn refuse_two_ttls(args: &CachedArgs, errors: &mut Errors) {
    if let (Some(ttl), Some(_)) = (&args.ttl, &args.ttl_with) {
        let help = "remove one of them; `ttl_with` decides for each value";
        errors.refuse(ttl, "both `ttl` and `ttl_with`", help);
    }
}

/// The version is asked for with the same arguments, so each needs a name.
fn require_names(args: &CachedArgs, function: &Function, errors: &mut Errors) {
    let Some(version) = &args.version else { return };
    if function.has_unnamed_arguments() {
        errors.refuse(
            version,
            "`version` needs a name for every argument: it is called with the same ones",
            "write `name: Type` in the place of each pattern",
        );
    }
}

/// Without this window there is never an old value beside a load that its caller waits for.
fn require_window(args: &CachedArgs, errors: &mut Errors) {
    if let Some(soft_timeout) = &args.soft_timeout
        && args.stale_if_error.is_none()
        && args.policy.is_none()
        && !args.meant(&["stale_if_error", "policy"])
    {
        errors.refuse(
            soft_timeout,
            "`soft_timeout` without `stale_if_error`: there would be no old value to return",
            "add `stale_if_error = …`, or write `timeout = …` to give the load up with an error",
        );
    }
}

/// Whether an option lets the load go on without its caller.
fn detached(args: &CachedArgs, function: &Function, errors: &mut Errors) -> bool {
    let options = [
        ("stale_while_revalidate", &args.stale_while_revalidate),
        ("refresh_ahead", &args.refresh_ahead),
        ("early_expiry", &args.early_expiry),
        ("soft_timeout", &args.soft_timeout),
        ("audit", &args.audit),
    ];
    let first = options
        .into_iter()
        .find_map(|(name, value)| Some((name, value.as_ref()?)));
    if let Some((name, value)) = first {
        ownership::check(name, value, function, errors);
    }
    first.is_some()
}

fn key(args: &CachedArgs, function: &Function, errors: &mut Errors) -> Option<Key> {
    let skipped = args.skip.as_deref().unwrap_or_default();
    let Some(literal) = &args.key else {
        check_skipped(skipped, function, None, errors);
        return (!args.meant(&["key"])).then(|| default_key(skipped, function, errors))?;
    };
    let template = Template::parse(literal, errors).checked(function, Outcome::Unknown, errors);
    check_skipped(skipped, function, Some(&template), errors);
    let key = Key::resolve(&template, function, Outcome::Unknown, errors);
    if !args.meant(&["skip"]) {
        check_accounted(skipped, function, &template, key.is_none(), errors);
    }
    key
}

/// Two types may have a method of one name, and an attribute cannot see which type it is in.
fn default_key(skipped: &[Ident], function: &Function, errors: &mut Errors) -> Option<Key> {
    if function.is_method() {
        let name = function.name();
        let message =
            format!("the method `{name}` needs a `key`: its type cannot be seen from here");
        return errors.refused(name, message, format!("write `key = \"{name}:<…>\"`"));
    }
    Some(Key::default_of(function, skipped))
}

/// A writer has no key by default: it is the reader's.
fn written_key(args: &CachedArgs, function: &Function, errors: &mut Errors) -> Option<Key> {
    let Some(literal) = &args.key else {
        let help = "write the key of the function that reads it: `key = \"user:<id>\"`";
        if !args.meant(&["key"]) {
            errors.refuse_at(Span::call_site(), "`key` is missing", help);
        }
        return None;
    };
    let template = Template::parse(literal, errors).checked(function, Outcome::Ok, errors);
    let key = Key::resolve(&template, function, Outcome::Ok, errors);
    known_before("key", literal, key, errors)
}

/// Their generations are those of before the write.
fn written_tags(args: &CachedArgs, function: &Function, errors: &mut Errors) -> Option<Vec<Key>> {
    let literals = args.tags.as_deref().unwrap_or_default();
    let tags = tag::resolve(literals, function, Outcome::Ok, errors);
    let tags = literals.iter().zip(tags);
    let tags: Vec<_> = tags
        .map(|(literal, tag)| known_before("tag", literal, tag, errors))
        .collect();
    tags.into_iter().collect()
}

pub(crate) fn known_before(
    what: &str,
    literal: &LitStr,
    key: Option<Key>,
    errors: &mut Errors,
) -> Option<Key> {
    let key = key?;
    if key.needs_result() {
        return errors.refused(
            literal,
            format!("the {what} is needed before the function runs, when `<result>` is unknown"),
            "name parameters; for what is known only afterwards: `#[invalidates(…, when = \"ok\")]`",
        );
    }
    Some(key)
}

/// The type of what is kept: owned, nameable, and not nothing.
fn kept(
    attribute: &str,
    what: &str,
    batch: bool,
    function: &Function,
    errors: &mut Errors,
) -> Option<Type> {
    let Some(output) = function
        .output
        .as_ref()
        .filter(|_| !function.returns_never())
    else {
        let message = format!("`{}` returns nothing that could be kept", function.name());
        return errors.refused(
            function.name(),
            message,
            format!("return the value, or remove `#[{attribute}]`"),
        );
    };
    if function.returns_impl_trait() {
        let help = "write the type itself";
        let message = format!("{what} cannot return `impl Trait`");
        errors.refuse(output, message, help);
    } else if let Some(reference) = first(&values(output, batch), &is_reference) {
        let help = "return an owned value, such as `String` for `&str`";
        let message = format!("{what} cannot return a reference");
        errors.refuse(reference, message, help);
    } else if let Some(nested) = nested_result(output, batch) {
        let message = "an error in here would be kept: only of the outermost `Result` it is seen";
        let help = "put the `Result` around the rest: `Result<Option<…>, …>`";
        errors.refuse(nested, message, help);
    } else {
        return Some(output.clone());
    }
    None
}

/// What is kept under one key: of a batch, the values of the map.
fn values(output: &Type, batch: bool) -> Vec<&Type> {
    let value = argument(output, "Result").unwrap_or(output);
    match batch {
        false => vec![value],
        true => inside(value).into_iter().skip(1).collect(),
    }
}

fn first<'t>(types: &[&'t Type], is_it: &dyn Fn(&Type) -> bool) -> Option<&'t Type> {
    types.iter().find_map(|ty| content::find(ty, is_it))
}

/// Behind an alias, serde refuses it.
fn is_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(_))
}

/// A `Result` inside the value; each value of a batch may be one. Behind an alias, it is seen when
/// there is an error to keep.
fn nested_result(output: &Type, batch: bool) -> Option<&Type> {
    let mut values = values(output, batch);
    if batch {
        values = values.into_iter().flat_map(inside).collect();
    }
    first(&values, &content::is_result)
}

/// `result` is the `Ok` value there, which is no `Result`; what is inside of it may be one, and so may
/// each value of a batch.
fn refuse_unless_of_errors(args: &CachedArgs, function: &Function, errors: &mut Errors) {
    let Some(unless) = &args.unless else { return };
    let fallible = function.output.as_ref().is_some_and(content::is_result)
        && args.batch.is_none()
        && !args.meant(&["batch"]);
    let asks = method_of(unless.to_token_stream(), "result", &["is_err", "is_ok"]);
    if let Some(asks) = asks.filter(|_| fallible) {
        let message = "`unless` is asked of the `Ok` value alone: an `Err` is never kept";
        errors.refuse(asks, message, "remove it, or ask for what the value is");
    }
}

impl Invalidates {
    /// `None` where something was refused.
    pub(crate) fn new(
        args: InvalidatesArgs,
        function: &Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        require_target(&args, errors);
        let when = match &args.when {
            Some(when) => When::parse(when, errors),
            None => (!args.unread_when).then_some(When::Always),
        };
        refuse_settled_before(&args, when, errors);
        // An unreadable `when` is one mistake, not one more for each `<result>`.
        let outcome = match when {
            Some(When::Ok) | None => Outcome::Ok,
            Some(When::Always | When::Before) => Outcome::Unsure,
        };
        let resolve = |target| self::target(target, function, outcome, errors);
        let targets: Vec<_> = args.targets.iter().map(resolve).collect();
        let tags = tag::resolve(&args.tags, function, outcome, errors);
        let guard = args.guard.as_ref().map(|guard| {
            refuse_before(guard, when, errors);
            refuse_result(&args.targets, &targets, errors);
            refuse_patterns("guard", &args.targets, &targets, errors);
            refuse_result(&args.tags, &tags, errors);
            Guard::parse(guard, function, errors)
        });
        let replica_lag = args.replica_lag.as_ref().map(|lag| {
            let life = duration::parse("replica_lag", lag, false, errors)?;
            refuse_outer_names("replica_lag", lag, function, errors);
            refuse_patterns("replica_lag", &args.targets, &targets, errors);
            Some(life)
        });
        let targets = targets.into_iter().collect::<Option<_>>()?;
        Some(Self {
            targets,
            tags: tags.into_iter().collect::<Option<_>>()?,
            when: when?,
            guard: transposed(guard)?,
            replica_lag: transposed(replica_lag)?,
            publish: args.publish.is_some(),
            settled: args.settled.is_some(),
            cache: args.cache,
            krate: args.krate,
        })
    }
}

/// What is loaded while the function runs may be kept in memory anew.
fn refuse_settled_before(args: &InvalidatesArgs, when: Option<When>, errors: &mut Errors) {
    if let (Some(literal), Some(()), Some(When::Before)) = (&args.when, args.settled, when) {
        let message = "what is invalidated before the function runs is outdated again after it, `settled` or not";
        errors.refuse(
            literal,
            message,
            "remove one of them; `settled` is the stronger",
        );
    }
}

fn require_target(args: &InvalidatesArgs, errors: &mut Errors) {
    if args.targets.is_empty() && args.tags.is_empty() && !args.unread {
        let help = "write the keys it changes: `#[invalidates(\"user:<id>\")]`";
        errors.refuse_at(Span::call_site(), "`#[invalidates]` names no key", help);
    }
}

/// `None` where what was written could not be read.
fn transposed<T>(written: Option<Option<T>>) -> Option<Option<T>> {
    written.map_or(Some(None), |read| read.map(Some))
}

fn target(
    literal: &LitStr,
    function: &Function,
    outcome: Outcome,
    errors: &mut Errors,
) -> Option<Key> {
    let template = Template::parse(literal, errors).checked(function, outcome, errors);
    refuse_odd_stars(literal, &template, errors);
    Key::resolve(&template, function, outcome, errors)
}

/// A slip of the pen must not empty the cache.
fn refuse_odd_stars(literal: &LitStr, template: &Template, errors: &mut Errors) {
    let double = |part: &Part| matches!(part, Part::Text(text) if text.contains("**"));
    if literal.value() == "*" {
        let help = "begin it with some text, such as `\"user:*\"`";
        errors.refuse(literal, "this pattern matches every key there is", help);
    } else if template.parts.iter().any(double) {
        let help = "write one `*`: it stands for any text, a `:` included";
        errors.refuse(literal, "`**` is no more than `*`", help);
    }
}

/// The text of the option `codec`, for the catalogue.
pub(crate) fn path_text(path: &Path) -> String {
    quote!(#path).to_string().replace(' ', "")
}
