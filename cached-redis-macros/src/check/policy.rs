//! What was written of the policy, as the calls that make it: one line for each option.

use proc_macro2::TokenStream;
use syn::{Expr, LitStr};

use crate::check::duration::{self, Life};
use crate::check::factor::{
    AUDIT, EARLY_EXPIRY, Factor, REFRESH_AHEAD, factor, refuse_local_audit,
};
use crate::check::jitter::{self, Jitter};
use crate::check::outer_names::refuse_outer_names;
use crate::check::schema::Schema;
use crate::check::size;
use crate::parse::args::CachedArgs;
use crate::parse::errors::Errors;
use crate::parse::signature::Function;

/// The setters of a policy, in the order of their calls.
pub(crate) struct Policy(pub(crate) Vec<(&'static str, Value)>);

/// What a setter is given.
pub(crate) enum Value {
    Nothing,
    /// An expression goes through that const function.
    Life(Life, &'static str),
    Number(TokenStream),
    /// A number of bytes, which goes through that const function.
    Bytes(TokenStream, &'static str),
    Jitter(Jitter),
    Schema(Schema),
    Name(LitStr),
}

impl Policy {
    pub(crate) fn new(args: &CachedArgs, function: &Function, errors: &mut Errors) -> Self {
        let mut read = Reader {
            policy: Vec::new(),
            function,
            errors,
        };
        read.life("ttl", &args.ttl, false, "checked_ttl");
        read.life(
            "negative_ttl",
            &args.negative_ttl,
            true,
            "checked_negative_ttl",
        );
        let window = &args.stale_while_revalidate;
        read.life("stale_while_revalidate", window, true, "checked_window");
        let window = &args.stale_if_error;
        read.life("stale_if_error", window, true, "checked_window");
        read.life("soft_timeout", &args.soft_timeout, false, "checked_timeout");
        read.life("local", &args.local, false, "checked_local");
        read.size("compress", &args.compress, "checked_compress");
        read.jitter(&args.jitter);
        read.factor(&REFRESH_AHEAD, &args.refresh_ahead);
        read.factor(&EARLY_EXPIRY, &args.early_expiry);
        read.factor(&AUDIT, &args.audit);
        read.schema(args);
        read.mark("ttl_of_value", args.ttl_with.is_some());
        read.mark("isolated", args.nested == Some(false));
        read.mark("checked", args.checked.is_some());
        read.name(&args.policy);
        let policy = Self(read.policy);
        policy.refuse_long_local(args, errors);
        refuse_local_audit(args, errors);
        policy
    }

    /// Whether values may be kept decoded in the process.
    pub(crate) fn may_be_local(&self) -> bool {
        ["local", "checked", "named"]
            .iter()
            .any(|name| self.says(name))
    }

    /// Whether they have to be.
    pub(crate) fn is_checked(&self) -> bool {
        self.says("checked")
    }

    fn says(&self, option: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == option)
    }

    /// No value lives longer than its entry. Of expressions `build` tells.
    fn refuse_long_local(&self, args: &CachedArgs, errors: &mut Errors) {
        let millis = |of| {
            self.0.iter().find_map(|(name, value)| match value {
                Value::Life(Life::Millis(millis), _) if *name == of => Some(*millis),
                _ => None,
            })
        };
        if let (Some(local), Some(ttl), Some(written)) =
            (millis("local"), millis("ttl"), &args.local)
            && local > ttl
        {
            let message =
                "`local` is longer than the TTL, and no value is kept longer than its entry";
            errors.refuse(
                written,
                message,
                "write a shorter one, such as `local = \"1s\"`",
            );
        }
    }
}

/// Reads what was written into setters.
struct Reader<'a> {
    policy: Vec<(&'static str, Value)>,
    function: &'a Function,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    fn life(&mut self, name: &'static str, value: &Option<Expr>, zero: bool, check: &'static str) {
        let Some(value) = value else { return };
        let Some(life) = duration::parse(name, value, zero, self.errors) else {
            return;
        };
        if let Life::Const(value) = &life {
            refuse_outer_names(name, value, self.function, self.errors);
        }
        self.policy.push((name, Value::Life(life, check)));
    }

    fn factor(&mut self, of: &Factor, value: &Option<Expr>) {
        let number = factor(of, value, self.function, self.errors);
        self.policy
            .extend(number.map(|number| (of.name, Value::Number(number))));
    }

    fn size(&mut self, name: &'static str, value: &Option<Expr>, check: &'static str) {
        let bytes = value.as_ref();
        let bytes = bytes.and_then(|value| size::parse(name, value, self.function, self.errors));
        self.policy
            .extend(bytes.map(|bytes| (name, Value::Bytes(bytes, check))));
    }

    fn jitter(&mut self, value: &Option<Expr>) {
        let jitter = jitter::parse(value, self.function, self.errors);
        self.policy
            .extend(jitter.map(|jitter| ("jitter", Value::Jitter(jitter))));
    }

    fn schema(&mut self, args: &CachedArgs) {
        let written = args.schema.as_ref();
        let schema = written.and_then(|written| Schema::parse(written, args, self.errors));
        self.policy
            .extend(schema.map(|schema| ("schema", Value::Schema(schema))));
    }

    fn mark(&mut self, name: &'static str, given: bool) {
        self.policy.extend(given.then_some((name, Value::Nothing)));
    }

    fn name(&mut self, name: &Option<LitStr>) {
        let Some(name) = name else { return };
        if name.value().is_empty() {
            let help = "write the name given to the builder";
            return self.errors.refuse(name, "the policy has no name", help);
        }
        self.policy.push(("named", Value::Name(name.clone())));
    }
}
