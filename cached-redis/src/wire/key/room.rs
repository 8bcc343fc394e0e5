//! Room for what calls render, handed on from one call of a thread to the next: a key and tags that were
//! rendered before allocate nothing.

use std::cell::Cell;

/// How many texts are handed on, and how long they may be.
const MOST: usize = 8;
const LONGEST: usize = 1024;

thread_local! {
    /// The text of the last call: most have no more than their key.
    static LAST: Cell<String> = const { Cell::new(String::new()) };
    /// The other texts of calls before.
    static ROOM: Cell<Vec<String>> = const { Cell::new(Vec::new()) };
    /// A list of tags of one of them.
    static LIST: Cell<Vec<String>> = const { Cell::new(Vec::new()) };
}

/// An empty text.
#[inline]
pub(crate) fn text() -> String {
    let mut last = LAST.try_with(Cell::take).unwrap_or_default();
    if last.capacity() > 0 {
        last.clear();
        return last;
    }
    other_text()
}

#[cold]
fn other_text() -> String {
    let text = ROOM.try_with(|room| {
        let mut texts = room.take();
        let text = texts.pop();
        room.set(texts);
        text
    });
    let mut text = text.ok().flatten().unwrap_or_default();
    text.clear();
    text
}

/// An empty list of texts.
pub(crate) fn list() -> Vec<String> {
    LIST.try_with(Cell::take).unwrap_or_default()
}

/// Hands a text on.
#[inline]
pub(crate) fn give(text: String) {
    if !(1..=LONGEST).contains(&text.capacity()) {
        return;
    }
    // In a thread that ends there is no next call.
    let before = LAST.try_with(|last| last.replace(text));
    if let Some(before) = before.ok().filter(|before| before.capacity() > 0) {
        give_back(before);
    }
}

/// Hands on one that was not taken since.
#[cold]
fn give_back(text: String) {
    let _ = ROOM.try_with(|room| {
        let mut texts = room.take();
        if texts.len() < MOST {
            texts.push(text);
        }
        room.set(texts);
    });
}

/// Hands a list and its texts on.
pub(crate) fn give_all(mut texts: Vec<String>) {
    texts.drain(..).for_each(give);
    if texts.capacity() <= MOST {
        let _ = LIST.try_with(|list| list.set(texts));
    }
}
