//! How long: `300`, `0.25`, `"1h30m"`, or a const expression.
//!
//! A lifetime that rounds to nothing, or that does not fit the store's milliseconds, would
//! silently cache nothing or for ever. Literals are refused here, expressions by a const check.

use syn::{Expr, Lit, LitFloat, LitInt, LitStr, UnOp};

use crate::parse::errors::Errors;
use crate::parse::syntax::peel_expr;

const FORMS: &str = "write seconds (`300`, `0.25`), a string (\"250ms\", \"5m\", \"1h30m\"), \
                     or a const `Duration` expression";

/// A span of time that has been checked as far as a macro can.
#[derive(Clone)]
pub(crate) enum Life {
    Millis(u64),
    /// Checked while the user's crate is compiled, by a const function.
    Const(Box<Expr>),
}

/// What is wrong with a literal.
#[derive(Debug, PartialEq)]
enum Refused {
    Zero,
    TooLong,
    Negative,
    Unreadable,
}

/// Reads the value of the option `name`; `zero` tells whether 0 has a meaning there.
pub(crate) fn parse(name: &str, value: &Expr, zero: bool, errors: &mut Errors) -> Option<Life> {
    let read = match literal(peel_expr(value)) {
        None => return Some(Life::Const(Box::new(value.clone()))),
        Some(Ok(0)) if !zero => Err(Refused::Zero),
        Some(read) => read,
    };
    match read {
        Ok(millis) => Some(Life::Millis(millis)),
        Err(refused) => errors.refused(value, refused.message(name), FORMS),
    }
}

impl Refused {
    fn message(&self, name: &str) -> String {
        match self {
            Self::Zero => format!("`{name}` is less than a millisecond"),
            Self::TooLong => format!("`{name}` does not fit into 64 bits of milliseconds"),
            Self::Negative => format!("`{name}` is negative"),
            Self::Unreadable => format!("`{name}` is no span of time"),
        }
    }
}

/// Milliseconds of a literal; `None` for an expression.
fn literal(value: &Expr) -> Option<Result<u64, Refused>> {
    match value {
        Expr::Lit(literal) => Some(match &literal.lit {
            Lit::Int(seconds) => integer(seconds),
            Lit::Float(seconds) => float(seconds),
            Lit::Str(text) => string(text),
            _ => Err(Refused::Unreadable),
        }),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            literal(peel_expr(&unary.expr)).map(|_| Err(Refused::Negative))
        }
        _ => None,
    }
}

fn integer(seconds: &LitInt) -> Result<u64, Refused> {
    if !matches!(
        seconds.suffix(),
        "" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize"
    ) && !matches!(
        seconds.suffix(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize"
    ) {
        return Err(Refused::Unreadable);
    }
    let seconds: u64 = seconds.base10_parse().map_err(|_| Refused::TooLong)?;
    seconds.checked_mul(1000).ok_or(Refused::TooLong)
}

fn float(seconds: &LitFloat) -> Result<u64, Refused> {
    if !matches!(seconds.suffix(), "" | "f32" | "f64") {
        return Err(Refused::Unreadable);
    }
    let millis = seconds
        .base10_parse::<f64>()
        .map_err(|_| Refused::Unreadable)?
        * 1000.0;
    // The first `f64` beyond `u64::MAX`; a cast would quietly stop at the maximum.
    if millis >= 18_446_744_073_709_551_616.0 {
        return Err(Refused::TooLong);
    }
    Ok(millis.round() as u64)
}

fn string(text: &LitStr) -> Result<u64, Refused> {
    let text = text.value();
    let mut rest = text.as_str();
    let mut total: u64 = 0;
    let mut larger_than = u64::MAX;
    while !rest.is_empty() || total == 0 && larger_than == u64::MAX {
        let (millis, unit, tail) = term(rest)?;
        // "30m1h" and "1h2h" are slips rather than sums.
        if unit >= larger_than {
            return Err(Refused::Unreadable);
        }
        total = total.checked_add(millis).ok_or(Refused::TooLong)?;
        (larger_than, rest) = (unit, tail);
    }
    Ok(total)
}

/// The leading `90m` of a compound: its milliseconds, its unit's, and what follows.
fn term(text: &str) -> Result<(u64, u64, &str), Refused> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or(Refused::Unreadable)?;
    let (number, rest) = text.split_at(digits);
    let end = rest
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(end);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(Refused::Unreadable),
    };
    if number.is_empty() {
        return Err(Refused::Unreadable);
    }
    let number: u64 = number.parse().map_err(|_| Refused::TooLong)?;
    let millis = number.checked_mul(unit).ok_or(Refused::TooLong)?;
    Ok((millis, unit, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Option<Result<u64, Refused>> {
        literal(&syn::parse_str(source).unwrap())
    }

    #[test]
    fn seconds_and_units_become_milliseconds() {
        for (source, millis) in [
            ("300", 300_000),
            ("1_000u64", 1_000_000),
            ("0.1", 100),
            ("2.5f64", 2500),
            ("\"250ms\"", 250),
            ("\"30s\"", 30_000),
            ("\"1h30m\"", 5_400_000),
            ("\"2d1ms\"", 172_800_001),
            ("\"0s\"", 0),
            ("18446744073709551", 18_446_744_073_709_551_000),
        ] {
            assert_eq!(read(source), Some(Ok(millis)), "{source}");
        }
    }

    #[test]
    fn what_is_no_span_of_time_is_refused() {
        for (source, refused) in [
            ("-5", Refused::Negative),
            ("-0.5", Refused::Negative),
            ("18446744073709552", Refused::TooLong),
            ("1e30", Refused::TooLong),
            ("\"300000000000d\"", Refused::TooLong),
            ("\"99999999999999999999s\"", Refused::TooLong),
            ("\"\"", Refused::Unreadable),
            ("\"5\"", Refused::Unreadable),
            ("\"s\"", Refused::Unreadable),
            ("\"5 m\"", Refused::Unreadable),
            ("\"30m1h\"", Refused::Unreadable),
            ("\"1h1h\"", Refused::Unreadable),
            ("\"-1s\"", Refused::Unreadable),
            ("\"1.5h\"", Refused::Unreadable),
            ("300s", Refused::Unreadable),
            ("true", Refused::Unreadable),
        ] {
            assert_eq!(read(source), Some(Err(refused)), "{source}");
        }
    }

    #[test]
    fn an_expression_is_left_to_the_compiler() {
        assert_eq!(read("TTL"), None);
        assert_eq!(read("Duration::from_secs(5)"), None);
    }
}
