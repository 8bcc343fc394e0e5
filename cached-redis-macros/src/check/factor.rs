//! Options that are plain numbers: shares, and XFetch's β.

use proc_macro2::{Literal, TokenStream};
use quote::ToTokens as _;
use syn::{Expr, Lit, UnOp};

use crate::check::outer_names::refuse_outer_names;
use crate::parse::args::CachedArgs;
use crate::parse::errors::Errors;
use crate::parse::signature::Function;
use crate::parse::syntax::peel_expr;

/// An option that is a plain number.
pub(crate) struct Factor {
    pub(crate) name: &'static str,
    pub(crate) allows: fn(f64) -> bool,
    pub(crate) wrong: &'static str,
    pub(crate) help: &'static str,
}

pub(crate) const REFRESH_AHEAD: Factor = Factor {
    name: "refresh_ahead",
    allows: |share| share > 0.0 && share < 1.0,
    wrong: "`refresh_ahead` is not between 0 and 1",
    help: "write the share of the TTL after which to refresh, such as `0.8`",
};

pub(crate) const EARLY_EXPIRY: Factor = Factor {
    name: "early_expiry",
    allows: |beta| beta > 0.0 && beta.is_finite(),
    wrong: "`early_expiry` is not more than 0",
    help: "write XFetch's factor, usually `1.0`",
};

pub(crate) const AUDIT: Factor = Factor {
    name: "audit",
    allows: |share| (0.0..=1.0).contains(&share),
    wrong: "`audit` is not between 0 and 1",
    help: "write the share of hits to check, such as `0.001`",
};

/// A literal is checked here, an expression when the function is first called.
pub(crate) fn factor(
    factor: &Factor,
    value: &Option<Expr>,
    function: &Function,
    errors: &mut Errors,
) -> Option<TokenStream> {
    let value = value.as_ref()?;
    let Some(number) = number(peel_expr(value)) else {
        refuse_outer_names(factor.name, value, function, errors);
        return Some(value.to_token_stream());
    };
    if (factor.allows)(number) {
        return Some(Literal::f64_unsuffixed(number).into_token_stream());
    }
    errors.refused(value, factor.wrong, factor.help)
}

/// An audit of each hit asks the source each time.
pub(crate) fn refuse_local_audit(args: &CachedArgs, errors: &mut Errors) {
    if let (Some(local), Some(audit)) = (&args.local, &args.audit)
        && number(peel_expr(audit)) == Some(1.0)
    {
        errors.refuse(
            local,
            "`local` beside `audit = 1`, which asks the source at each hit",
            "write a smaller share, such as `audit = 0.001`, or remove one of them",
        );
    }
}

/// The value of a literal, NaN where it is no number; `None` for an expression.
fn number(value: &Expr) -> Option<f64> {
    match value {
        Expr::Lit(literal) => Some(match &literal.lit {
            Lit::Float(share) => share.base10_parse().unwrap_or(f64::NAN),
            Lit::Int(share) => share.base10_parse().unwrap_or(f64::NAN),
            _ => f64::NAN,
        }),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            // `-0.0` is a slip too.
            number(peel_expr(&unary.expr)).map(|_| f64::NAN)
        }
        _ => None,
    }
}
