//! Keys read back, by the rules their documentation states and not by the code that wrote them.

use super::{Form, Value};
use crate::parse::template::Part;

/// Characters that stand in no value, so that the first of them ends one.
fn ends_value(c: char) -> bool {
    c.is_control() || ":*?[]{}\\ ".contains(c)
}

/// What the values contributed to a key of these parts.
pub(super) fn parts(parts: &[Part], mut key: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        let end = match (part, parts.peek()) {
            (Part::Text(text), _) => text.len(),
            (Part::Placeholder(_), Some(Part::Text(text))) => value_end(key, text),
            (Part::Placeholder(_), _) => key.len(),
        };
        let (here, rest) = key.split_at(end);
        match part {
            Part::Text(text) => assert_eq!(here, text),
            Part::Placeholder(_) => found.push(here.to_owned()),
        }
        key = rest;
    }
    assert_eq!(key, "");
    found
}

/// Where the value ends that `text` follows. Only the last text of a template may have no
/// character that ends a value.
fn value_end(key: &str, text: &str) -> usize {
    match text.find(ends_value) {
        Some(before) => key.find(ends_value).expect("the text is there") - before,
        None => key.len() - text.len(),
    }
}

/// What can be told of a value from what it contributed.
pub(super) fn value(form: Form, text: &str) -> Value {
    match form {
        Form::Hash => (text.len() == 32).then(|| text.to_owned()),
        Form::Optional if text == "%none" => None,
        _ => Some(unescaped(text)),
    }
}

/// The same from the value itself. A hash stays what it is.
pub(super) fn expected(form: Form, value: &Value, text: &str) -> Value {
    match form {
        Form::Text => Some(value.clone().unwrap_or_default()),
        Form::Optional => value.clone(),
        Form::Debug => Some(format!("{value:?}")),
        Form::Hash => Some(text.to_owned()),
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (code, tail) = rest.split_first_chunk::<2>().expect("two digits");
            let code = std::str::from_utf8(code).expect("digits");
            bytes.push(u8::from_str_radix(code, 16).expect("digits"));
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("a text")
}
