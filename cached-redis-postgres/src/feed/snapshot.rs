//! What a session sees of which transactions.
//!
//! A commit is decoded as soon as it is in the log on disk. It is visible only later, in a session of its own
//! time: after a wait for synchronous standbys, which may be long. Who reads in between reads what was there
//! before, and an invalidation in between would let him store it.
//!
//! Numbers of transactions in the stream have 32 bits and wrap around, so they are compared as on a ring; those
//! in a snapshot have 64, of which the lower half is the same number.

/// The answer of `pg_current_snapshot()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// All before it have ended.
    xmin: u64,
    /// None from here on was there yet.
    xmax: u64,
    /// Which in between have not ended.
    running: Vec<u32>,
}

impl Snapshot {
    /// `None`: the text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (xmin, xmax, running) = (parts.next()?, parts.next()?, parts.next()?);
        let number = |text: &str| text.parse::<u64>().ok();
        let running = running.split(',').filter(|text| !text.is_empty());
        Some(Self {
            xmin: number(xmin)?,
            xmax: number(xmax)?,
            running: running
                .map(|text| number(text).map(|it| it as u32))
                .collect::<Option<_>>()?,
        })
    }

    /// Whether a session that begins now sees what a transaction has done that is known to be committed.
    pub(super) fn sees(&self, xid: u32) -> bool {
        precedes(xid, self.xmax as u32) && !self.running.contains(&xid)
    }

    /// Whether any transaction was running.
    pub(super) fn is_quiet(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether all that were running in an earlier one have ended.
    pub(super) fn is_after(&self, earlier: &Self) -> bool {
        self.xmin >= earlier.xmax
    }
}

fn precedes(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::parse(text).unwrap()
    }

    #[test]
    fn what_runs_or_is_to_come_is_not_seen() {
        for (xid, text, seen) in [
            (728, "728:728:", false),
            (728, "728:729:728", false),
            (728, "729:729:", true),
            (728, "720:735:721,730", true),
            (730, "720:735:721,730", false),
            (735, "720:735:721", false),
            (736, "720:735:721", false),
        ] {
            assert_eq!(snapshot(text).sees(xid), seen, "{xid} in {text}");
        }
    }

    #[test]
    fn numbers_go_round() {
        for (xid, text, seen) in [
            (u32::MAX - 1, "4294967296:4294967299:", true),
            (5, "4294967296:4294967299:", false),
            (1, "4294967296:4294967299:", true),
            (1, "4294967296:4294967299:4294967297", false),
            // Long ago, and the next one of all.
            (3, "2147483640:2147483650:", true),
            (2_147_483_650, "2147483640:2147483650:", false),
        ] {
            assert_eq!(snapshot(text).sees(xid), seen, "{xid} in {text}");
        }
    }

    #[test]
    fn a_snapshot_is_after_another_when_all_that_ran_has_ended() {
        let earlier = snapshot("10:20:10,15");
        assert!(!earlier.is_quiet() && !snapshot("15:30:15").is_after(&earlier));
        assert!(snapshot("20:30:20").is_after(&earlier));
    }

    #[test]
    fn what_is_no_snapshot_is_none() {
        for odd in ["", "1:2", "a:2:", "1:2:x"] {
            assert_eq!(Snapshot::parse(odd), None, "{odd}");
        }
    }
}
