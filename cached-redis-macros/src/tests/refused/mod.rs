//! Refused uses: the source, in which `«…»` stands around what is underlined, and the messages in that order.
//! Where nothing is marked the whole attribute is.
//!
//! Messages of the compiler's stand in `ui-tests`.

mod batches;
mod functions;
mod invalidations;
mod keys;
mod options;
mod tags;
mod write_behinds;
mod write_throughs;

use std::ops::Range;

use proc_macro2::{TokenStream, TokenTree};

use crate::entry::{Attribute, try_cached, try_invalidates, try_write_behind, try_write_through};
use crate::parse::errors::Errors;

/// Where an error of the whole attribute stands.
const ATTRIBUTE: Range<usize> = 0..0;

/// A test for each case: its sources, and of each the messages with their help.
macro_rules! refused {
    ($($case:ident: $($source:literal $(=> $message:literal, $help:literal)+)+;)+) => {$(
        #[test]
        fn $case() {
            $(super::assert_refused($source, &[$(($message, $help)),+]);)+
        }
    )+};
}
use refused;

#[track_caller]
fn assert_refused(source: &str, messages: &[(&str, &str)]) {
    let (text, mut marks) = unmarked(source);
    let (attribute, args, item) = read(&text);
    let mut errors = Errors::default();
    attribute(args, &item, &mut errors);
    let mut told = errors.messages();
    told.sort_by_key(|(at, _)| at.start);
    if marks.is_empty() {
        marks.push(ATTRIBUTE);
    }
    assert_eq!(
        marks.len(),
        messages.len(),
        "a mark for each message: {source}"
    );
    let messages = messages.iter();
    let messages = messages.map(|(message, help)| format!("{message}\n\nhelp: {help}"));
    let shown = |(at, message): (Range<usize>, String)| (text[at.clone()].to_owned(), at, message);
    let expected: Vec<_> = marks.into_iter().zip(messages).map(shown).collect();
    let told: Vec<_> = told.into_iter().map(shown).collect();
    assert_eq!(told, expected, "{text}");
}

/// The source without its marks, and what was inside of each, by where it begins.
fn unmarked(source: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut marks, mut open) = (String::new(), Vec::new(), Vec::new());
    for c in source.chars() {
        match c {
            '«' => open.push(text.len()),
            '»' => marks.push(open.pop().expect("an open mark")..text.len()),
            c => text.push(c),
        }
    }
    assert!(open.is_empty(), "a mark is open in {source}");
    marks.sort_by_key(|mark| mark.start);
    (text, marks)
}

/// `#[attribute(args)] item`
fn read(text: &str) -> (Attribute, TokenStream, TokenStream) {
    let mut tokens = text.parse::<TokenStream>().expect("tokens").into_iter();
    let written = tokens.find_map(|token| match token {
        TokenTree::Group(written) => Some(written.stream()),
        _ => None,
    });
    let mut written = written.expect("an attribute").into_iter();
    let attribute = match written.next().map(|name| name.to_string()).as_deref() {
        Some("redis_cached") => try_cached,
        Some("invalidates") => try_invalidates,
        Some("write_through") => try_write_through,
        Some("write_behind") => try_write_behind,
        name => panic!("{name:?} is no attribute"),
    };
    let args = match written.next() {
        Some(TokenTree::Group(args)) => args.stream(),
        _ => TokenStream::new(),
    };
    (attribute, args, tokens.collect())
}
