//! A hasher for the keys of small tables, quick for short texts. Its seed is random, so that nobody knows beforehand which
//! keys meet.

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Clone, Copy)]
pub(crate) struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Seeded;

    fn build_hasher(&self) -> Seeded {
        Seeded(self.0)
    }
}

/// What was hashed so far is the seed of the rest.
pub(crate) struct Seeded(u64);

impl Hasher for Seeded {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The end of a text: what follows one here is of the same length each time.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart_and_each_table_has_a_seed_of_its_own() {
        let (one, other) = (Keyed::default(), Keyed::default());
        assert_eq!(
            one.hash_one("app:user:1"),
            one.hash_one(String::from("app:user:1"))
        );
        assert_ne!(one.hash_one("app:user:1"), one.hash_one("app:user:2"));
        assert_ne!(one.hash_one("app:user:1"), other.hash_one("app:user:1"));
    }
}
