//! How many bytes: `4096`, `"4 KiB"`, or a const expression.
//!
//! A kB is 1,000 bytes to some and 1,024 to others, so the text has the units that are one thing to all.

use proc_macro2::{Literal, TokenStream};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Expr, Lit, LitInt, UnOp};

use crate::check::outer_names::refuse_outer_names;
use crate::parse::errors::Errors;
use crate::parse::signature::Function;
use crate::parse::syntax::peel_expr;

const FORMS: &str = "write a number of bytes (`4096`), a string of `B`, `KiB` or `MiB` (\"4 KiB\", which is \
                     4,096 bytes), or a const expression of type `u64`";

/// Reads the value of the option `name`.
pub(crate) fn parse(
    name: &str,
    value: &Expr,
    function: &Function,
    errors: &mut Errors,
) -> Option<TokenStream> {
    let Some(bytes) = literal(peel_expr(value)) else {
        refuse_outer_names(name, value, function, errors);
        return Some(value.to_token_stream());
    };
    match bytes {
        Some(bytes) => {
            let mut bytes = Literal::u64_suffixed(bytes);
            bytes.set_span(value.span());
            Some(bytes.into_token_stream())
        }
        None => errors.refused(value, format!("`{name}` is no number of bytes"), FORMS),
    }
}

/// Bytes of a literal, if they are; `None` for an expression.
fn literal(value: &Expr) -> Option<Option<u64>> {
    match value {
        Expr::Lit(literal) => Some(match &literal.lit {
            Lit::Int(bytes) => integer(bytes),
            Lit::Str(text) => string(&text.value()),
            _ => None,
        }),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            literal(peel_expr(&unary.expr)).map(|_| None)
        }
        _ => None,
    }
}

fn integer(bytes: &LitInt) -> Option<u64> {
    let is_plain = matches!(bytes.suffix(), "" | "u8" | "u16" | "u32" | "u64" | "usize");
    bytes.base10_parse().ok().filter(|_| is_plain)
}

fn string(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let bytes: u64 = match unit.strip_prefix(' ').unwrap_or(unit) {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Option<Option<u64>> {
        literal(&syn::parse_str(source).unwrap())
    }

    #[test]
    fn numbers_and_units_become_bytes() {
        for (source, bytes) in [
            ("4096", 4096),
            ("1_000u32", 1000),
            ("0", 0),
            ("\"0 B\"", 0),
            ("\"512 B\"", 512),
            ("\"1 KiB\"", 1024),
            ("\"4KiB\"", 4096),
            ("\"2 MiB\"", 2 << 20),
        ] {
            assert_eq!(read(source), Some(Some(bytes)), "{source}");
        }
    }

    #[test]
    fn what_is_no_number_of_bytes_is_refused() {
        for source in [
            "-1",
            "4.5",
            "true",
            "4k",
            "1i64",
            "18446744073709551616",
            "\"\"",
            "\"4096\"",
            "\"KiB\"",
            "\"4 kB\"",
            "\"4 KB\"",
            "\"4 kib\"",
            "\"4  KiB\"",
            "\"4 KiB \"",
            "\"1.5 KiB\"",
            "\"-4 KiB\"",
            "\"4 KiB 2 B\"",
            "\"18014398509481985 KiB\"",
        ] {
            assert_eq!(read(source), Some(None), "{source}");
        }
    }

    #[test]
    fn an_expression_is_left_to_the_compiler() {
        assert_eq!(read("LIMIT"), None);
        assert_eq!(read("4 << 10"), None);
    }
}
