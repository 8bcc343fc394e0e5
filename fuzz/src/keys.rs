//! Any values in any template that compiles: no two calls may share a key, a key must give its
//! values back, and nothing in it may look like more than a value.

mod read;

use arbitrary::{Arbitrary, Result, Unstructured};
use proc_macro2::Span;
use syn::LitStr;

use crate::parse::errors::Errors;
use crate::parse::template::{Part, Template};
use crate::wire::key::KeyWriter;
use crate::wire::key::part::{ByDisplay as _, ByOption as _, Probe};
use crate::wire::template as shape;

/// Longest key, without the namespace.
const LONGEST: usize = 512;

/// Bytes of a plan that say how the second call differs.
const CHANGE: usize = 2;

const NAMESPACE: &str = "n:";

/// Text between placeholders; what does not keep them apart is refused like in a program.
const SEPARATORS: [&str; 14] = [
    ":", "::", "-:", ":-", "{", "}:{", "}", " ", "\n", "*", "%:", ":%none", "-", "",
];

/// What a parameter can be. Those of `<x>` are two, since an `Option` is found by its type.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Form {
    Text,
    Optional,
    Debug,
    Hash,
}

type Value = Option<String>;

/// Takes the bytes as a plan: a template, and the values of two calls.
///
/// # Panics
///
/// Where a key breaks a promise.
pub fn check(data: &[u8]) {
    // Too few bytes are no plan, and nothing to test.
    let _ = follow(&mut Unstructured::new(data));
}

fn follow(plan: &mut Unstructured<'_>) -> Result<()> {
    // The values take all they can get.
    let mut change = Unstructured::new(plan.bytes(plan.len().min(CHANGE))?);
    let mut forms = Vec::new();
    for _ in 0..plan.int_in_range(1..=4)? {
        forms.push(plan.arbitrary()?);
    }
    let template = template(&forms, plan)?;
    let Some(parts) = parsed(&template) else {
        return Ok(());
    };
    let one = values(&forms, plan)?;
    let key = rendered(&parts, &forms, &one);
    assert_sound(&template, &parts, &forms, &one, &key);
    let other = match change.int_in_range(0..=6)? {
        0 => values(&forms, plan)?,
        alike => others(&one, &forms, alike, change.choose_index(one.len())?),
    };
    let meet = key == rendered(&parts, &forms, &other);
    assert_eq!(
        meet,
        same(&forms, &one, &other),
        "{template}: {one:?}, {other:?}"
    );
    Ok(())
}

fn template(forms: &[Form], plan: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::from(*plan.choose(&["", "user:", "{", "%", "%no"])?);
    for (number, form) in forms.iter().enumerate() {
        if number > 0 {
            text += separator(plan)?;
        }
        let format = match form {
            Form::Text | Form::Optional => "",
            Form::Debug => ":?",
            Form::Hash => ":hash",
        };
        text += &format!("<p{number}{format}>");
    }
    Ok(text + plan.choose(&["", ":", "}:items", "none", "%41", " "])?)
}

fn separator<'a>(plan: &mut Unstructured<'a>) -> Result<&'a str> {
    if plan.ratio(1, 4)? {
        plan.arbitrary()
    } else {
        plan.choose(&SEPARATORS).copied()
    }
}

/// The parts of a template that compiles.
fn parsed(template: &str) -> Option<Vec<Part>> {
    let literal = LitStr::new(template, Span::call_site());
    let parsed = Template::parse(&literal, &mut Errors::default());
    parsed.sound.then_some(parsed.parts)
}

fn values(forms: &[Form], plan: &mut Unstructured<'_>) -> Result<Vec<Value>> {
    forms.iter().map(|_| value(plan)).collect()
}

/// Mostly short; sometimes far too long for a key.
fn value(plan: &mut Unstructured<'_>) -> Result<Value> {
    let text: Value = plan.arbitrary()?;
    let times = if plan.ratio(1, 6)? { 300 } else { 1 };
    Ok(text.map(|text| text.repeat(times)))
}

/// Values that are easily taken for `one`.
fn others(one: &[Value], forms: &[Form], alike: u8, at: usize) -> Vec<Value> {
    let mut other = one.to_vec();
    match alike {
        1 => other[at] = None,
        2 => other[at] = Some(String::new()),
        3 => other[at] = Some("%none".to_owned()),
        4 => other.rotate_left(at),
        5 => other[at] = Some(part(forms[at], &one[at])),
        _ => shift(&mut other, at),
    }
    other
}

/// The last character of a value opens the next one.
fn shift(values: &mut [Value], at: usize) {
    let last = values[at].as_mut().and_then(String::pop);
    if let (Some(last), Some(next)) = (last, values.get_mut(at + 1)) {
        next.get_or_insert_default().insert(0, last);
    }
}

/// Whether two calls have the same arguments.
fn same(forms: &[Form], one: &[Value], other: &[Value]) -> bool {
    let mut places = forms.iter().zip(one).zip(other);
    places.all(|((form, one), other)| match form {
        Form::Text => one.as_deref().unwrap_or("") == other.as_deref().unwrap_or(""),
        _ => one == other,
    })
}

fn rendered(parts: &[Part], forms: &[Form], values: &[Value]) -> String {
    let mut key = KeyWriter::new("n");
    let mut arguments = forms.iter().zip(values);
    for part in parts {
        if let Part::Text(text) = part {
            key.text(text);
        } else if let Some((form, value)) = arguments.next() {
            write(*form, value, &mut key);
        }
    }
    key.finish().expect("these values can be rendered")
}

/// As expansions do it.
#[expect(clippy::needless_borrow, reason = "the references choose")]
fn write(form: Form, value: &Value, key: &mut KeyWriter) {
    match form {
        Form::Text => {
            let text = value.as_deref().unwrap_or_default();
            (&Probe(&text)).__cached_redis_part().write(&text, key);
        }
        Form::Optional => (&Probe(value)).__cached_redis_part().write(value, key),
        Form::Debug => key.debug(value),
        Form::Hash => key.hash(value),
    }
}

/// What one value contributes.
fn part(form: Form, value: &Value) -> String {
    let mut key = KeyWriter::bare();
    write(form, value, &mut key);
    key.into_fragment().expect("these values can be rendered")
}

fn assert_sound(template: &str, parts: &[Part], forms: &[Form], values: &[Value], key: &str) {
    let logical = key.strip_prefix(NAMESPACE).expect("the namespace");
    assert!(logical.len() <= LONGEST, "{} bytes", logical.len());
    let contributed: Vec<_> = forms
        .iter()
        .zip(values)
        .map(|(form, value)| part(*form, value))
        .collect();
    for ((form, value), text) in forms.iter().zip(values).zip(&contributed) {
        assert!(text.chars().all(harmless), "{value:?} became {text}");
        assert_eq!(read::value(*form, text), read::expected(*form, value, text));
    }
    if !is_cut(parts, &contributed) {
        let logical = shared(parts, &contributed, logical);
        let read = read::parts(parts, &logical);
        assert_eq!(read, contributed, "{template}: {logical}");
        let is_one = shape::Template::new(template).meets(&shape::Template::pattern(&logical));
        assert!(is_one, "{template}: {logical}");
    }
}

/// Keys that begin with `#` are the cache's own, so the first one of another is escaped.
fn shared(parts: &[Part], contributed: &[String], logical: &str) -> String {
    let mut values = contributed.iter();
    let first = parts.iter().find_map(|part| {
        let text = match part {
            Part::Text(text) => Some(text),
            Part::Placeholder(_) => values.next(),
        };
        text?.chars().next()
    });
    match (first, logical.strip_prefix("%23")) {
        (Some('#'), Some(rest)) => format!("#{rest}"),
        _ => logical.to_owned(),
    }
}

/// Nothing that separates, nor a glob, a hash tag or something that a terminal obeys.
fn harmless(c: char) -> bool {
    !(c.is_control() || c.is_whitespace() || ":*?[]{}<>\\".contains(c))
}

fn is_cut(parts: &[Part], contributed: &[String]) -> bool {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) => text.len(),
        Part::Placeholder(_) => 0,
    });
    texts.sum::<usize>() + contributed.iter().map(String::len).sum::<usize>() > LONGEST
}
