//! The option `jitter`: a share of the TTL, or, as `"-5%"`, one that only shortens it.

use proc_macro2::{Literal, TokenStream};
use quote::ToTokens as _;
use syn::{Expr, LitStr};

use crate::check::factor::{Factor, factor};
use crate::parse::errors::Errors;
use crate::parse::signature::Function;
use crate::parse::syntax::{literal, peel_expr};

const JITTER: Factor = Factor {
    name: "jitter",
    allows: |share| (0.0..1.0).contains(&share),
    wrong: "`jitter` is not at least 0 and less than 1",
    help: "write a share of the TTL, such as `0.05`, or `\"-5%\"` to shorten it only",
};

/// How far the lives of entries are spread.
pub(crate) struct Jitter {
    /// The constructor.
    pub(crate) kind: &'static str,
    pub(crate) share: TokenStream,
}

pub(crate) fn parse(
    value: &Option<Expr>,
    function: &Function,
    errors: &mut Errors,
) -> Option<Jitter> {
    if let Some(text) = value.as_ref().and_then(|value| literal(peel_expr(value))) {
        return percentage(&text, errors);
    }
    let share = factor(&JITTER, value, function, errors)?;
    Some(Jitter {
        kind: "around",
        share,
    })
}

fn percentage(text: &LitStr, errors: &mut Errors) -> Option<Jitter> {
    let written = text.value();
    let (kind, percent) = match written.strip_prefix('-') {
        Some(percent) => ("below", percent),
        None => ("around", written.as_str()),
    };
    let digits = percent
        .strip_suffix('%')
        .filter(|percent| percent.starts_with(|c: char| c.is_ascii_digit()));
    let share = digits
        .and_then(|digits| digits.parse::<f64>().ok())
        .map(|percent| percent / 100.0);
    let Some(share) = share.filter(|share| (JITTER.allows)(*share)) else {
        return errors.refused(
            text,
            "`jitter` is no share of the TTL below 100 %",
            JITTER.help,
        );
    };
    let share = Literal::f64_unsuffixed(share).into_token_stream();
    Some(Jitter { kind, share })
}
