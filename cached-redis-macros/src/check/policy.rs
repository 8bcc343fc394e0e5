//! What was written of the policy, as the calls that make it: one line for each option.

use proc_macro2::TokenStream;
use syn::{Expr, LitStr};

use crate::check::duration::{self, Life};
use crate::check::factor::{AUDIT, EARLY_EXPIRY, Factor, REFRESH_AHEAD, factor};
use crate::check::jitter::{self, Jitter};
use crate::check::outer_names::refuse_outer_names;
use crate::check::schema::Schema;
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
        read.jitter(&args.jitter);
        read.factor(&REFRESH_AHEAD, &args.refresh_ahead);
        read.factor(&EARLY_EXPIRY, &args.early_expiry);
        read.factor(&AUDIT, &args.audit);
        read.schema(args);
        read.mark("ttl_of_value", args.ttl_with.is_some());
        read.mark("isolated", args.nested == Some(false));
        read.name(&args.policy);
        Self(read.policy)
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
