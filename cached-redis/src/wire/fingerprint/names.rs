//! Hashes of names and lists of names. serde derives give them as statics, which never change and
//! never move, so a hash is remembered by their addresses; the addresses are not part of it.

use std::cell::Cell;

use xxhash_rust::xxh3::xxh3_64_with_seed;

const SLOTS: usize = 64;

/// An odd number with its bits spread evenly (2^64 divided by the golden ratio).
pub(super) const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

thread_local! {
    static SEEN: [Cell<Seen>; SLOTS] = const { [const { Cell::new(Seen::NOTHING) }; SLOTS] };
}

#[derive(Clone, Copy)]
struct Seen {
    at: Place,
    hash: u64,
}

/// Where a name and a list are.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    name: usize,
    name_length: usize,
    list: usize,
    list_length: usize,
}

impl Seen {
    /// No reference is null.
    const NOTHING: Self = Self {
        at: Place {
            name: 0,
            name_length: 0,
            list: 0,
            list_length: 0,
        },
        hash: 0,
    };
}

impl Place {
    #[inline]
    fn of(name: &'static str, list: &'static [&'static str]) -> Self {
        Self {
            name: name.as_ptr() as usize,
            name_length: name.len(),
            list: list.as_ptr() as usize,
            list_length: list.len(),
        }
    }

    #[inline]
    fn slot(&self) -> usize {
        let spread = (self.list.rotate_left(17) ^ self.name) as u64;
        (spread.wrapping_mul(SPREAD) >> 32) as usize % SLOTS
    }
}

#[inline]
pub(super) fn hash(name: &'static str, list: &'static [&'static str]) -> u64 {
    let at = Place::of(name, list);
    SEEN.with(|slots| {
        let slot = &slots[at.slot()];
        let seen = slot.get();
        if seen.at == at {
            return seen.hash;
        }
        let hash = compute(name, list);
        slot.set(Seen { at, hash });
        hash
    })
}

/// Each text seeds the hash of the next, so that no two lists run together.
#[cold]
#[inline(never)]
fn compute(name: &str, list: &[&str]) -> u64 {
    let seed = xxh3_64_with_seed(name.as_bytes(), list.len() as u64);
    list.iter()
        .fold(seed, |seed, text| xxh3_64_with_seed(text.as_bytes(), seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_do_not_run_together() {
        assert_ne!(compute("a", &["b", "c"]), compute("a", &["c", "b"]));
        assert_ne!(compute("a", &["b"]), compute("b", &["a"]));
        assert_ne!(compute("a", &["bc"]), compute("a", &["b", "c"]));
        assert_ne!(compute("ab", &[]), compute("a", &["b"]));
        assert_ne!(compute("a", &[]), compute("a", &[""]));
    }

    #[test]
    fn remembered_hashes_are_those_of_the_texts() {
        static LISTS: [&[&str]; 4] = [&["id", "name"], &["name", "id"], &[], &["id"]];
        for _ in 0..2 {
            for (n, list) in LISTS.iter().enumerate() {
                for name in ["", "User", "Order"] {
                    assert_eq!(hash(name, list), compute(name, list), "{n}");
                }
            }
        }
    }
}
