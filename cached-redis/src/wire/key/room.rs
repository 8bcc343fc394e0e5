//! Room for what calls render, handed on from one call of a thread to the next: a key and tags that were
//! rendered before allocate nothing.

use std::cell::Cell;

/// How many texts are handed on, and how long they may be.
const MOST: usize = 8;
const LONGEST: usize = 1024;

thread_local! {
    /// The texts of calls before.
    static ROOM: Cell<Vec<String>> = const { Cell::new(Vec::new()) };
    /// A list of tags of one of them.
    static LIST: Cell<Vec<String>> = const { Cell::new(Vec::new()) };
}

/// An empty text.
pub(crate) fn text() -> String {
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
pub(crate) fn give(text: String) {
    // In a thread that ends there is no next call.
    let _ = ROOM.try_with(|room| {
        let mut texts = room.take();
        if texts.len() < MOST && text.capacity() <= LONGEST {
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
