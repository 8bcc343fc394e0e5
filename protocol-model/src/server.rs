//! What Redis does to the key: one function per command or script, each one indivisible step.

use crate::state::{Key, Version};

/// What a store of a value asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `SET`: nothing.
    Always,
    /// `SET NX`: that nothing stands there.
    Absent,
    /// `SET XX`: that some value stands there.
    Present,
    /// Compare-and-set: that what stands there carries the token.
    Token,
}

/// Puts a lease where nothing stands, or over the dead entry `over` if that still stands.
pub(crate) fn acquire<T: Copy + PartialEq>(
    key: &mut Key<T>,
    over: Option<T>,
    lease: Key<T>,
) -> bool {
    let free = match over {
        None => *key == Key::Absent,
        Some(_) => key.token() == over,
    };
    if free {
        *key = lease;
    }
    free
}

/// Puts a lease over whatever stands there, but for a tombstone where those are spared.
pub(crate) fn seize<T: Copy>(key: &mut Key<T>, lease: Key<T>, spares_tombstones: bool) -> bool {
    let barred = spares_tombstones && matches!(key, Key::Tombstone { .. });
    if !barred {
        *key = lease;
    }
    !barred
}

/// Stores a value.
pub(crate) fn fill<T: Copy + PartialEq>(
    key: &mut Key<T>,
    condition: Condition,
    token: T,
    value: Key<T>,
) -> bool {
    let wins = match condition {
        Condition::Always => true,
        Condition::Absent => *key == Key::Absent,
        Condition::Present => matches!(key, Key::Value { .. }),
        Condition::Token => key.token() == Some(token),
    };
    if wins {
        *key = value;
    }
    wins
}

/// Removes what carries the token.
pub(crate) fn release<T: Copy + PartialEq>(key: &mut Key<T>, token: T) -> bool {
    fill(key, Condition::Token, token, Key::Absent)
}

/// Removes what stands there, but taints the tombstone of a writer in progress. With a hold-off a
/// tombstone is left until the source's replica shows `hold`; 0 is without.
pub(crate) fn invalidate<T: Copy>(key: &mut Key<T>, hold: Version) {
    *key = match *key {
        Key::Tombstone {
            writers, hold: old, ..
        } if writers != 0 => tombstone(writers, true, hold.max(old)),
        Key::Tombstone { hold: old, .. } if hold != 0 => tombstone(0, false, hold.max(old)),
        _ => tombstone(0, false, hold),
    };
}

/// Bars fills from before the write on. A second writer taints the tombstone of the first.
pub(crate) fn begin<T: Copy>(key: &mut Key<T>, writer: usize) {
    *key = match *key {
        Key::Tombstone { writers, hold, .. } => {
            tombstone(writers | bit(writer), writers != 0, hold)
        }
        _ => tombstone(bit(writer), false, 0),
    };
}

/// Lifts the bar once no writer is left. Anything but a tombstone is removed.
pub(crate) fn end<T: Copy>(key: &mut Key<T>, writer: usize, hold: Version) {
    *key = match *key {
        Key::Tombstone {
            writers, hold: old, ..
        } => tombstone(writers & !bit(writer), true, hold.max(old)),
        _ => tombstone(0, false, hold),
    };
}

/// A begin that forgets the writers before it.
pub(crate) fn begin_unguarded<T: Copy>(key: &mut Key<T>, writer: usize) {
    *key = tombstone(bit(writer), false, 0);
}

/// An end that removes the tombstone if it is its own.
pub(crate) fn end_unguarded<T: Copy>(key: &mut Key<T>, writer: usize) {
    match *key {
        Key::Tombstone { writers, .. } if writers != bit(writer) => {}
        _ => *key = Key::Absent,
    }
}

/// Replaces a tombstone by the value its only writer has written; else it is an end.
pub(crate) fn put<T: Copy>(
    key: &mut Key<T>,
    writer: usize,
    value: Key<T>,
    heeds_taint: bool,
) -> bool {
    let is_only = matches!(*key, Key::Tombstone { writers, tainted, hold: 0 }
        if writers == bit(writer) && !(tainted && heeds_taint));
    if is_only {
        *key = value;
    } else {
        end(key, writer, 0);
    }
    is_only
}

/// A tombstone, unless nothing keeps it.
pub(crate) fn tombstone<T>(writers: u8, tainted: bool, hold: Version) -> Key<T> {
    match (writers, hold) {
        (0, 0) => Key::Absent,
        (0, _) => Key::Tombstone {
            writers,
            tainted: false,
            hold,
        },
        _ => Key::Tombstone {
            writers,
            tainted,
            hold,
        },
    }
}

/// A writer's place in a tombstone.
pub(crate) fn bit(writer: usize) -> u8 {
    1 << writer
}
