//! Maps from ids to values, which batches return.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

/// A map from ids to their values; an id that is not in it is known to be absent.
#[diagnostic::on_unimplemented(
    message = "a batch cannot return `{Self}`: it is no map from ids to values",
    label = "this is no map",
    note = "return a `HashMap` or a `BTreeMap` from ids to values, or a `Result` of one"
)]
pub trait IdMap:
    Default + Extend<(Self::Id, Self::Value)> + IntoIterator<Item = (Self::Id, Self::Value)>
{
    /// What names a value.
    type Id: Clone;
    /// What is kept under each key.
    type Value;

    /// Makes room for so many.
    fn reserve(&mut self, _more: usize) {}
    /// The value of `id`, if there is one.
    fn value(&self, id: &Self::Id) -> Option<&Self::Value>;
    /// Whether two ids have the same place.
    fn same(one: &Self::Id, other: &Self::Id) -> bool;
}

impl<K, V, S> IdMap for HashMap<K, V, S>
where
    K: Clone + Eq + Hash,
    S: BuildHasher + Default,
{
    type Id = K;
    type Value = V;

    fn reserve(&mut self, more: usize) {
        Self::reserve(self, more);
    }
    fn value(&self, id: &K) -> Option<&V> {
        self.get(id)
    }
    fn same(one: &K, other: &K) -> bool {
        one == other
    }
}

impl<K: Clone + Ord, V> IdMap for BTreeMap<K, V> {
    type Id = K;
    type Value = V;

    fn value(&self, id: &K) -> Option<&V> {
        self.get(id)
    }
    fn same(one: &K, other: &K) -> bool {
        one.cmp(other).is_eq()
    }
}
