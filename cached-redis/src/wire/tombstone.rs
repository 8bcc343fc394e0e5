//! A tombstone bars a key: while it stands, readers load for themselves and nobody may fill.
//!
//! One remembers **every** writer it stands for. If it knew only one, the first of two overlapping
//! writers to end would take it away from the second, whose commit an old value could then outlive
//! (c2 of the model). Each writer has a deadline, so one that died bars nobody for long, and the
//! tombstone lives as long as its latest deadline: none is ever without a time to live.
//!
//! Behind the header, as its extensions: n × (token of 16 bytes, deadline in ms of the store's clock
//! of 8 bytes), little endian. The deadline of token zero, nobody's, is the hold-off: until then a
//! source's replicas may still answer with what was there before.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::entry::{HEADER, Header, Kind, Token};

/// Another writer interfered, or may have: what one writer wrote need not be what stands now.
const TAINTED: u8 = 8;
/// One of the deadlines is the hold-off.
const HOLD_OFF: u8 = 16;

/// Who the hold-off belongs to. No writer has this token.
const NOBODY: Token = Token([0; 16]);

/// Further writers are refused, since the length of the extensions has 16 bits.
pub(crate) const MOST_WRITERS: usize = 2000;

const HOLDER: usize = 24;

/// What a tombstone says: for whom it stands, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tombstone {
    holders: Vec<(Token, u64)>,
    tainted: bool,
}

impl Tombstone {
    /// Whether `entry` is a tombstone.
    pub(crate) fn stands(entry: &[u8]) -> bool {
        Header::parse(entry).is_some_and(|(header, _)| header.kind == Kind::Tombstone)
    }

    /// What stands at the time `now`, without deadlines that are over; empty if `entry` is no
    /// tombstone.
    pub(crate) fn read(entry: Option<&Bytes>, now: u64) -> Self {
        let Some(entry) = entry.filter(|entry| Self::stands(entry)) else {
            return Self::default();
        };
        let holders = entry[HEADER..].chunks_exact(HOLDER).filter_map(holder);
        Self {
            holders: holders.filter(|(_, deadline)| *deadline > now).collect(),
            tainted: entry[3] & TAINTED != 0,
        }
    }

    /// Adds a writer; `false` if there are too many.
    pub(crate) fn begin(&mut self, token: Token, deadline: u64) -> bool {
        let others = self.others(token);
        if others < MOST_WRITERS {
            self.add(token, deadline);
            self.tainted |= others > 0;
        }
        others < MOST_WRITERS
    }

    /// Gives a writer a later deadline; `false` if it is not there.
    pub(crate) fn hold(&mut self, token: Token, deadline: u64) -> bool {
        let stood = self.holders.iter().any(|holder| holder.0 == token);
        if stood {
            self.add(token, deadline);
        }
        stood
    }

    /// Takes a writer out; `false` if it is not there.
    pub(crate) fn end(&mut self, token: Token, hold_off: Option<u64>) -> bool {
        let stood = self.take(token).is_some();
        self.interfere(hold_off);
        stood
    }

    /// Whether what this writer wrote is what stands in the source: it is the only one, and nobody
    /// has interfered.
    pub(crate) fn is_only(&self, token: Token) -> bool {
        matches!(&self.holders[..], [holder] if holder.0 == token) && !self.tainted
    }

    /// Something was written by none of the writers that stay.
    pub(crate) fn interfere(&mut self, hold_off: Option<u64>) {
        if let Some(until) = hold_off {
            self.add(NOBODY, until);
        }
        self.tainted |= self.others(NOBODY) > 0;
    }

    /// The bytes, and how long they live from `now` on; `None` if there is nobody to stand for.
    /// `token` is the version of the entry.
    pub(crate) fn entry(&self, token: Token, now: u64) -> Option<(Bytes, Duration)> {
        let latest = self.holders.iter().map(|(_, deadline)| *deadline).max()?;
        let mut extensions = Vec::with_capacity(self.holders.len() * HOLDER);
        let mut header = Header::new(Kind::Tombstone, token);
        header.flags = if self.tainted { TAINTED } else { 0 };
        for (token, deadline) in &self.holders {
            header.flags |= if *token == NOBODY { HOLD_OFF } else { 0 };
            extensions.extend_from_slice(token.as_bytes());
            extensions.extend_from_slice(&deadline.to_le_bytes());
        }
        let life = Duration::from_millis(latest.saturating_sub(now));
        Some((header.extended(&extensions, &[]), life))
    }

    /// The writers, in the order in which they were added or last extended.
    pub(crate) fn writers(&self) -> Vec<Token> {
        let tokens = self.holders.iter().map(|holder| holder.0);
        tokens.filter(|token| *token != NOBODY).collect()
    }

    pub(crate) fn has_hold_off(&self) -> bool {
        self.holders.iter().any(|holder| holder.0 == NOBODY)
    }

    /// How many writers there are beside `token`.
    fn others(&self, token: Token) -> usize {
        let other = |holder: &&(Token, u64)| holder.0 != token && holder.0 != NOBODY;
        self.holders.iter().filter(other).count()
    }

    fn add(&mut self, token: Token, deadline: u64) {
        let before = self.take(token).unwrap_or(0);
        self.holders.push((token, deadline.max(before)));
    }

    fn take(&mut self, token: Token) -> Option<u64> {
        let at = self.holders.iter().position(|holder| holder.0 == token)?;
        Some(self.holders.remove(at).1)
    }
}

fn holder(bytes: &[u8]) -> Option<(Token, u64)> {
    let (token, deadline) = bytes.split_first_chunk::<16>()?;
    Some((Token(*token), u64::from_le_bytes(deadline.try_into().ok()?)))
}

#[cfg(test)]
impl Tombstone {
    pub(crate) fn is_tainted(&self) -> bool {
        self.tainted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Token = Token([1; 16]);
    const TWO: Token = Token([2; 16]);

    /// Two writers and a hold-off, as the released layout wrote them. Must be read for ever.
    const TOMBSTONE_1: &str = "\
        ca5401180000000002020202020202020202020202020202\
        000000000000000000000000000000000000000048000000\
        010101010101010101010101010101017bdc207497010000\
        020202020202020202020202020202027cdc207497010000\
        000000000000000000000000000000007ddc207497010000";
    const NOW: u64 = 1_750_000_000_000;

    fn tombstone() -> Tombstone {
        let mut tombstone = Tombstone::default();
        assert!(tombstone.begin(ONE, NOW + 123));
        assert!(tombstone.begin(TWO, NOW + 124));
        tombstone.interfere(Some(NOW + 125));
        tombstone
    }

    fn golden() -> Bytes {
        let digits = TOMBSTONE_1.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn tombstones_of_layout_1_are_read_for_ever() {
        assert!(Tombstone::stands(&golden()));
        assert_eq!(Tombstone::read(Some(&golden()), NOW), tombstone());
    }

    #[test]
    fn tombstones_are_written_in_layout_1() {
        let (bytes, life) = tombstone().entry(TWO, NOW).unwrap();
        assert_eq!(bytes, golden());
        assert_eq!(life, Duration::from_millis(125));
    }

    #[test]
    fn a_deadline_that_is_over_counts_no_more() {
        let left = |now| Tombstone::read(Some(&golden()), now).holders.len();
        assert_eq!(
            (left(NOW + 122), left(NOW + 123), left(NOW + 125)),
            (3, 2, 0)
        );
    }

    #[test]
    fn a_deadline_never_comes_nearer() {
        let mut tombstone = tombstone();
        assert!(tombstone.hold(ONE, NOW));
        tombstone.interfere(Some(NOW));
        let (_, life) = tombstone.entry(ONE, NOW).unwrap();
        assert_eq!(life, Duration::from_millis(125));
    }

    #[test]
    fn as_many_writers_are_taken_as_the_layout_can_hold() {
        let mut tombstone = Tombstone::default();
        let tokens: Vec<_> = (0..=MOST_WRITERS).map(|_| Token::next()).collect();
        for token in &tokens[..MOST_WRITERS] {
            assert!(tombstone.begin(*token, NOW));
        }
        assert!(!tombstone.begin(tokens[MOST_WRITERS], NOW));
        assert!(
            tombstone.begin(tokens[0], NOW),
            "a repetition is no other writer"
        );
        tombstone.interfere(Some(NOW));
        let (bytes, _) = tombstone.entry(ONE, 0).unwrap();
        assert!(Tombstone::stands(&bytes));
    }
}
