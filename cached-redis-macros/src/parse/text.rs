//! A type as one line of text, the same however it was spaced.
//!
//! The catalogue compares value types by this text, so `Vec<u8>` and `Vec < u8 >` must agree.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Renders the tokens of a type.
pub(crate) fn of(tokens: TokenStream) -> String {
    let mut words = Vec::new();
    collect(tokens, &mut words);
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        if i > 0 && spaced(&words[i - 1], word) {
            text.push(' ');
        }
        text += word;
    }
    text
}

fn collect(tokens: TokenStream, words: &mut Vec<String>) {
    let mut joint = false;
    for token in tokens {
        let continues = std::mem::take(&mut joint);
        match token {
            TokenTree::Group(group) => {
                let (open, close) = delimiters(group.delimiter());
                words.extend(open.map(str::to_owned));
                collect(group.stream(), words);
                words.extend(close.map(str::to_owned));
            }
            TokenTree::Punct(punct) => {
                // `>` never joins: `>>` closes two lists.
                joint = punct.spacing() == Spacing::Joint && punct.as_char() != '>';
                append(punct.as_char().to_string(), continues, words);
            }
            // The name of a lifetime follows its quote.
            TokenTree::Ident(ident) => append(ident.to_string(), continues, words),
            TokenTree::Literal(literal) => words.push(literal.to_string()),
        }
    }
}

fn append(word: String, continues: bool, words: &mut Vec<String>) {
    let joined = |last: &String| {
        matches!(
            (last.as_str(), word.as_str()),
            (":", ":") | ("-", ">") | ("'", _)
        )
    };
    match words.last_mut() {
        Some(last) if continues && joined(last) => last.push_str(&word),
        _ => words.push(word),
    }
}

fn delimiters(delimiter: Delimiter) -> (Option<&'static str>, Option<&'static str>) {
    match delimiter {
        Delimiter::Parenthesis => (Some("("), Some(")")),
        Delimiter::Bracket => (Some("["), Some("]")),
        Delimiter::Brace => (Some("{"), Some("}")),
        Delimiter::None => (None, None),
    }
}

fn spaced(left: &str, right: &str) -> bool {
    let word = |text: &str| text.starts_with(|c: char| c.is_alphanumeric() || "_'\"".contains(c));
    let operator = |text: &str| matches!(text, "+" | "=" | "->");
    let opens = |text: &str| text == "[" || text == "&";
    matches!(left, "," | ";" | ":")
        || operator(left)
        || operator(right)
        || word(left) && (word(right) || opens(right))
        || left == ">" && word(right)
}

#[cfg(test)]
mod tests {
    #[test]
    fn spacing_is_normal() {
        for text in [
            "Result<Vec<User>, crate::Error>",
            "Option<Arc<[u8; 32]>>",
            "Box<dyn Fn(u8, &'a str) -> u8 + Send + 'static>",
            "(u8, &'a mut [T])",
            "Page<Item = User, N = 5>",
            "<T as Source>::Value",
        ] {
            let tokens: proc_macro2::TokenStream = text.parse().unwrap();
            assert_eq!(super::of(tokens), text);
        }
    }
}
