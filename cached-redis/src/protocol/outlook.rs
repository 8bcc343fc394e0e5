//! Whether the next read of a function is likely to find nothing.
//!
//! Then it asks for the lease at once: where nothing stands, that saves the look before; where something does, the store
//! shows it instead of granting the lease, in the same round trip. That costs more than a look does, and is not sent together
//! with those of others. So it is done only after many looks in a row that have found nothing, as while a cache is filled.
//!
//! It is a guess for economy alone: to the protocol it is a read that saw nothing, which may be so no longer when it asks.

use std::sync::atomic::{AtomicU8, Ordering};

/// How many looks in a row have to find nothing.
const MANY: u8 = 8;

/// By the slots of functions.
pub(crate) struct Outlook(Box<[AtomicU8]>);

impl Outlook {
    pub(crate) fn new(functions: usize) -> Self {
        Self((0..functions).map(|_| AtomicU8::new(0)).collect())
    }

    pub(crate) fn is_nothing(&self, slot: usize) -> bool {
        let count = self.0.get(slot);
        count.is_some_and(|count| count.load(Ordering::Relaxed) >= MANY)
    }

    /// A look has found nothing.
    pub(crate) fn nothing(&self, slot: usize) {
        if let Some(count) = self.0.get(slot) {
            let seen = count.load(Ordering::Relaxed);
            count.store(seen.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// There was something, or it is not known.
    pub(crate) fn something(&self, slot: usize) {
        let count = self.0.get(slot);
        // Hits are many: they share what they only read.
        if let Some(count) = count.filter(|count| count.load(Ordering::Relaxed) > 0) {
            count.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_looks_in_a_row_tell_of_nothing() {
        let outlook = Outlook::new(1);
        for _ in 1..MANY {
            outlook.nothing(0);
        }
        assert!(!outlook.is_nothing(0));
        outlook.something(0);
        outlook.nothing(0);
        assert!(!outlook.is_nothing(0));
        for _ in 0..1000 {
            outlook.nothing(0);
        }
        assert!(outlook.is_nothing(0));
        outlook.something(0);
        assert!(!outlook.is_nothing(0));
        outlook.nothing(7);
        assert!(!outlook.is_nothing(7), "it has no place");
    }
}
