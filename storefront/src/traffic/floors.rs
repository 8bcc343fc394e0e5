//! Below what no price may be. Clerks only raise prices, so a page that shows less than this shows an old one.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Of each product, when its changes had returned.
#[derive(Default)]
pub(crate) struct Floors(Mutex<HashMap<i64, Vec<(Instant, i64)>>>);

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Right,
    /// Older, by no more than is allowed.
    Late,
    Stale,
}

impl Floors {
    /// From now on, no page shows less.
    pub(crate) fn raise(&self, product: i64, cents: i64) {
        let mut floors = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        floors
            .entry(product)
            .or_default()
            .push((Instant::now(), cents));
    }

    /// The newest price that was written down by then.
    pub(crate) fn at(&self, product: i64, time: Instant) -> i64 {
        let floors = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let changes = floors.get(&product).map_or(&[][..], Vec::as_slice);
        let returned = changes.iter().rev().find(|(returned, _)| *returned <= time);
        returned.map_or(0, |(_, cents)| *cents)
    }

    /// What to make of a price on a page that was asked for at a time.
    pub(crate) fn judge(
        &self,
        (product, cents): (i64, i64),
        asked: Instant,
        staleness: Option<Duration>,
    ) -> Verdict {
        if cents >= self.at(product, asked) {
            return Verdict::Right;
        }
        let allowed = staleness.and_then(|staleness| asked.checked_sub(staleness));
        match allowed.is_some_and(|time| cents >= self.at(product, time)) {
            true => Verdict::Late,
            false => Verdict::Stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_judged_by_the_changes_that_had_returned_when_it_was_asked_for() {
        let floors = Floors::default();
        let before = Instant::now();
        floors.raise(7, 100);
        floors.raise(7, 110);
        let now = Instant::now();
        let since_before = Some(now.duration_since(before));
        assert_eq!(floors.judge((7, 110), now, None), Verdict::Right);
        assert_eq!(floors.judge((7, 109), now, None), Verdict::Stale);
        assert_eq!(
            floors.judge((7, 109), now, Some(Duration::ZERO)),
            Verdict::Stale
        );
        assert_eq!(floors.judge((7, 109), now, since_before), Verdict::Late);
        assert_eq!(floors.judge((8, 1), now, None), Verdict::Right);
    }
}
