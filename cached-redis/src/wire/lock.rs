//! The record of a lock: the greatest number that was granted, and who holds it until when.
//!
//! A holder that stalled for longer than its lease does not know that the lock went on to somebody
//! else. What it then writes is told from what the next one writes by the number of its grant, the
//! fencing token, so numbers must grow strictly with every grant. Number and grant are therefore one
//! record under one key, changed in one step, which outlives the lease and the release. If it is lost
//! all the same, by an eviction or an empty restart, the numbers go on from the store's clock, which
//! has left every number behind that was granted before.
//!
//! It is text, to be read in `redis-cli`: `<number> <deadline> <holder>`, where the deadline is in µs
//! of the store's clock and the holder `-` is nobody. No entry looks like that.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::entry::Token;

/// For how long the number is remembered when nobody holds the lock. Only a clock that is set back
/// by more than this, and a lock that nobody took meanwhile, could give a number again.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

const NOBODY: &str = "-";

/// Times are in µs of the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    number: u64,
    deadline: u64,
    holder: String,
}

impl Record {
    /// What stands, that of a lock which was never granted if nothing does; `None`: foreign bytes.
    pub(crate) fn read(standing: Option<&Bytes>) -> Option<Self> {
        let Some(bytes) = standing else {
            return Some(Self::never_granted());
        };
        let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
        let record = Self {
            number: words.next()?.parse().ok()?,
            deadline: words.next()?.parse().ok()?,
            holder: words.next()?.to_owned(),
        };
        words.next().is_none().then_some(record)
    }

    fn never_granted() -> Self {
        Self {
            number: 0,
            deadline: 0,
            holder: NOBODY.to_owned(),
        }
    }

    /// Grants the lock to `holder`, unless somebody else holds it. A repetition is granted the same
    /// number.
    pub(crate) fn grant(&mut self, holder: Token, now: u64, life: Duration) -> Grant {
        let asking = name(holder);
        if !self.is_held(&asking, now) {
            if self.holder != NOBODY && self.deadline > now {
                return Grant::Theirs(Duration::from_micros(self.deadline - now));
            }
            self.number = now.max(self.number + 1);
            self.holder = asking;
        }
        self.deadline = now + life.as_micros() as u64;
        Grant::Ours(self.number)
    }

    /// Gives the lock a later deadline; `false` if `holder` holds it no longer.
    pub(crate) fn extend(&mut self, holder: Token, now: u64, life: Duration) -> bool {
        let held = self.is_held(&name(holder), now);
        if held {
            self.deadline = now + life.as_micros() as u64;
        }
        held
    }

    /// Frees the lock; `false` if `holder` held it no longer.
    pub(crate) fn end(&mut self, holder: Token, now: u64) -> bool {
        let held = self.is_held(&name(holder), now);
        if held {
            (self.holder, self.deadline) = (NOBODY.to_owned(), now);
        }
        held
    }

    /// The text, and for how long it is to stand.
    pub(crate) fn entry(&self, now: u64) -> (Bytes, Duration) {
        let text = format!("{} {} {}", self.number, self.deadline, self.holder);
        let left = Duration::from_micros(self.deadline.saturating_sub(now));
        (text.into(), REMEMBERED + left)
    }

    /// Whether `holder` has it.
    pub(crate) fn is_of(&self, holder: Token, now: u64) -> bool {
        self.is_held(&name(holder), now)
    }

    fn is_held(&self, holder: &str, now: u64) -> bool {
        self.holder == holder && self.deadline > now
    }
}

/// How a holder is written.
pub(crate) fn name(holder: Token) -> String {
    format!("{:032x}", holder.number())
}

/// The answer to asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// It is ours, under a number that is greater than those of all grants before.
    Ours(u64),
    /// Somebody else holds it, for so long yet.
    Theirs(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_micros(100);

    fn number(grant: Grant) -> u64 {
        match grant {
            Grant::Ours(number) => number,
            Grant::Theirs(left) => panic!("held by another for {left:?}"),
        }
    }

    #[test]
    fn numbers_grow_even_if_the_clock_stands_still_or_goes_back() {
        let mut record = Record::never_granted();
        let mut last = 0;
        for now in [1000, 1000, 500, 2000, 1] {
            let holder = Token::next();
            let next = number(record.grant(holder, now, LIFE));
            assert!(next > last, "{next} after {last}");
            assert!(record.end(holder, now));
            last = next;
        }
    }

    #[test]
    fn a_lost_record_goes_on_from_the_clock() {
        let first = number(Record::never_granted().grant(Token::next(), 1000, LIFE));
        let second = number(Record::never_granted().grant(Token::next(), 1001, LIFE));
        assert!(second > first);
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let mut record = Record::never_granted();
        record.grant(Token::next(), 1000, LIFE);
        let (text, life) = record.entry(1000);
        assert_eq!(Record::read(Some(&text)), Some(record));
        assert_eq!(life, REMEMBERED + LIFE);
    }

    #[test]
    fn foreign_bytes_are_no_record() {
        for foreign in ["", "1", "1 2", "x 2 -", "1 2 - 4", "-1 2 -"] {
            let bytes = Bytes::from_static(foreign.as_bytes());
            assert_eq!(Record::read(Some(&bytes)), None, "{foreign:?}");
        }
    }
}
