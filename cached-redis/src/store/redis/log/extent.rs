//! Where entries stand in a stream, and whether some are gone in between.

use redis::Value;

use super::entries::{find, head};
use crate::store::redis::reply;

/// The id of an entry, in the order of the stream.
pub(super) type Id = (u64, u64);

pub(super) fn id(value: Value) -> Option<Id> {
    parsed(&reply::text(value).ok()?)
}

pub(super) fn parsed(text: &str) -> Option<Id> {
    let (ms, number) = text.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

/// The id before it, whether there was such an entry or not.
pub(super) fn before((ms, number): Id) -> Id {
    match number.checked_sub(1) {
        Some(number) => (ms, number),
        None => (ms.saturating_sub(1), u64::MAX),
    }
}

/// What a stream holds of all that was ever in it.
pub(super) struct Extent {
    first: Option<Id>,
    pub(super) last_ever: Id,
    /// Whether anything was cut off.
    cut: bool,
}

impl Extent {
    pub(super) fn of(stream: Value) -> Option<Self> {
        let fields = reply::list(stream).ok()?;
        let field = |name| find(fields.clone(), name);
        let count = |name| redis::from_redis_value::<u64>(field(name)?).ok();
        Some(Self {
            first: field("first-entry").and_then(head).and_then(id),
            last_ever: id(field("last-generated-id")?)?,
            cut: count("entries-added")? > count("length")?,
        })
    }

    pub(super) fn leaves_hole_after(&self, delivered: Id) -> bool {
        let next_is_there = self.first.is_some_and(|first| first <= delivered);
        self.cut && delivered < self.last_ever && !next_is_there
    }
}

/// How far a group has come.
pub(super) fn delivered(groups: Value, group: &str) -> Option<Id> {
    let groups = reply::list(groups).ok()?.into_iter();
    let mut groups = groups.filter_map(|fields| reply::list(fields).ok());
    let named = |fields: &Vec<Value>| {
        let name = find(fields.clone(), "name").map(reply::text);
        matches!(name, Some(Ok(name)) if name == group)
    };
    id(find(groups.find(named)?, "last-delivered-id")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_where_something_was_cut_off_behind_the_last_entry_that_was_read() {
        let extent = |first, cut| Extent {
            first,
            last_ever: (9, 0),
            cut,
        };
        let some = extent(Some((5, 1)), true);
        assert!(some.leaves_hole_after((5, 0)), "(5, 1) may not be the next");
        assert!(!some.leaves_hole_after((5, 1)));
        assert!(!some.leaves_hole_after((7, 3)));
        assert!(!extent(Some((5, 1)), false).leaves_hole_after((0, 0)));
        let none = extent(None, true);
        assert!(none.leaves_hole_after((8, 0)) && !none.leaves_hole_after((9, 0)));
    }

    #[test]
    fn ids_are_ordered_by_their_numbers() {
        let id = |text: &str| id(Value::BulkString(text.into()));
        assert!(id("9-10") > id("9-9") && id("10-0") > id("9-10"));
        assert_eq!(id("9"), None);
    }
}
