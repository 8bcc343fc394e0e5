//! Queues of a store in memory.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;

use super::MemoryStore;
use super::shard::Change;
use crate::store::queue::{Accepted, BEHIND, Dead, Depth, Offer, Partition, Queued, Taken};
use crate::store::{Answer, Outlet, envelope_token, size};
use crate::wire::entry::{Token, is_pending};
use crate::wire::lock::Record;
use crate::wire::tombstone::Tombstone;

/// By the name of each partition.
pub(super) type Queues = HashMap<String, Queue>;

#[derive(Default)]
pub(super) struct Queue {
    last: u64,
    waiting: VecDeque<Waiting>,
    dead: VecDeque<Dead>,
    tries: HashMap<u64, u64>,
}

struct Waiting {
    write: Queued,
    since: Instant,
}

impl Queue {
    fn append(&mut self, write: Queued) {
        self.last += 1;
        let number = self.last;
        self.waiting.push_back(Waiting {
            write: Queued { number, ..write },
            since: Instant::now(),
        });
    }

    fn dead_of(&self, key: &str) -> u64 {
        self.dead
            .iter()
            .filter(|dead| dead.write.key == key)
            .count() as u64
    }

    /// Takes those out of the dead letters that are of `key`.
    fn exhume(&mut self, key: &str) -> Vec<Queued> {
        let (of_key, others) = std::mem::take(&mut self.dead)
            .into_iter()
            .partition::<VecDeque<_>, _>(|dead| dead.write.key == key);
        self.dead = others;
        of_key.into_iter().map(|dead| dead.write).collect()
    }
}

impl MemoryStore {
    fn queue<R>(&self, at: &Partition, change: impl FnOnce(&mut Queue) -> R) -> R {
        change(self.queues.lock().entry(at.queue.clone()).or_default())
    }

    fn wake(&self, at: &Partition) {
        let channel = at.channel.clone();
        let outlet = Outlet {
            channel,
            retention: None,
        };
        self.send(&outlet, &Bytes::from(at.number.to_string()));
    }

    pub(in crate::store) fn enqueue(&self, at: &Partition, offer: &Offer<'_>) -> Answer<Accepted> {
        size::check(offer.entry.len() + offer.arguments.len(), self.value_bytes)?;
        let accepted = self.step(offer.key, |standing| {
            if standing.is_some_and(|bytes| Tombstone::stands(bytes)) {
                return (Change::Keep, Accepted::Barred);
            }
            match self.queue(at, |queue| accept(queue, offer)) {
                Accepted::Yes => (Change::Stay(offer.entry.clone()), Accepted::Yes),
                refused => (Change::Keep, refused),
            }
        });
        if accepted == Accepted::Yes {
            self.wake(at);
        }
        Ok(accepted)
    }

    pub(in crate::store) fn take(&self, at: &Partition, owner: Token) -> Answer<Taken> {
        let now = self.clock_us();
        let owns = self.step(&at.owner, |standing| {
            let owns = Record::read(standing).is_some_and(|record| record.is_of(owner, now));
            (Change::Keep, owns)
        });
        if !owns {
            return Ok(Taken::NotOwner);
        }
        Ok(self.queue(at, |queue| match queue.waiting.front() {
            None => Taken::Nothing,
            Some(Waiting { write, .. }) => {
                let tries = queue.tries.entry(write.number).or_default();
                *tries += 1;
                Taken::Write(write.clone(), *tries)
            }
        }))
    }

    pub(in crate::store) fn finish(&self, at: &Partition, write: &Queued) -> Answer<bool> {
        Ok(self.step(&write.key, |standing| {
            let stood = self.queue(at, |queue| {
                queue.tries.remove(&write.number);
                let before = queue.waiting.len();
                queue.waiting.retain(|one| one.write.number != write.number);
                before > queue.waiting.len()
            });
            let stays = |bytes: &Bytes| match is_pending(bytes) {
                true => envelope_token(bytes) != Some(write.token.as_bytes()),
                false => Tombstone::stands(bytes),
            };
            match standing {
                Some(bytes) if stood && !stays(bytes) => (Change::Remove, true),
                _ => (Change::Keep, stood),
            }
        }))
    }

    pub(in crate::store) fn bury(
        &self,
        at: &Partition,
        number: u64,
        why: &str,
        most: u64,
    ) -> Answer<Option<u64>> {
        Ok(self.queue(at, |queue| {
            let mut waiting = queue.waiting.iter().map(|one| &one.write);
            let first = waiting.find(|write| write.number == number);
            let Some(key) = first.map(|write| write.key.clone()) else {
                return Some(0);
            };
            let goes = |write: &Queued| write.key == key && write.number >= number;
            let count = queue.waiting.iter().filter(|one| goes(&one.write)).count() as u64;
            if queue.dead.len() as u64 + count > most {
                return None;
            }
            let (dead, waiting) = std::mem::take(&mut queue.waiting)
                .into_iter()
                .partition::<VecDeque<_>, _>(|one| goes(&one.write));
            queue.waiting = waiting;
            queue.tries.remove(&number);
            for Waiting { write, .. } in dead {
                let why = if write.number == number { why } else { BEHIND };
                let why = why.to_owned();
                queue.dead.push_back(Dead { write, why });
            }
            Some(count)
        }))
    }

    pub(in crate::store) fn dead(&self, at: &Partition, most: u64) -> Answer<Vec<Dead>> {
        Ok(self.queue(at, |queue| {
            queue.dead.iter().take(most as usize).cloned().collect()
        }))
    }

    pub(in crate::store) fn retry_dead(&self, at: &Partition, key: &str) -> Answer<u64> {
        let count = self.queue(at, |queue| {
            let writes = queue.exhume(key);
            let count = writes.len() as u64;
            writes.into_iter().for_each(|write| queue.append(write));
            count
        });
        self.wake(at);
        Ok(count)
    }

    pub(in crate::store) fn drop_dead(&self, at: &Partition, key: &str) -> Answer<bool> {
        Ok(self.step(key, |standing| {
            let (dropped, left) = self.queue(at, |queue| {
                let first = queue.dead.iter().position(|dead| dead.write.key == key);
                let dropped = first.and_then(|first| queue.dead.remove(first)).is_some();
                (dropped, queue.dead_of(key))
            });
            let goes = dropped && left == 0 && standing.is_some_and(|bytes| is_pending(bytes));
            let change = if goes { Change::Remove } else { Change::Keep };
            (change, dropped)
        }))
    }

    pub(in crate::store) fn depth(&self, at: &Partition) -> Answer<Depth> {
        Ok(self.queue(at, |queue| Depth {
            queued: queue.waiting.len() as u64,
            dead: queue.dead.len() as u64,
            oldest_ms: None,
        }))
    }
}

fn accept(queue: &mut Queue, offer: &Offer<'_>) -> Accepted {
    let dead = queue.dead_of(offer.key);
    if dead >= offer.most_dead {
        return Accepted::Blocked;
    }
    if dead == 0 && queue.waiting.len() as u64 >= offer.most {
        return Accepted::Full;
    }
    let oldest = queue.waiting.front().filter(|_| dead == 0);
    let is_late = |oldest: &Waiting| {
        offer
            .most_lag
            .is_some_and(|lag| oldest.since.elapsed() > lag)
    };
    if oldest.is_some_and(is_late) {
        return Accepted::Late;
    }
    let token = envelope_token(&offer.entry).and_then(|token| token.try_into().ok());
    let write = Queued {
        number: 0,
        key: offer.key.to_owned(),
        token: Token(token.unwrap_or_default()),
        function: offer.function.to_owned(),
        arguments: offer.arguments.clone(),
    };
    match dead {
        0 => queue.append(write),
        _ => queue.dead.push_back(Dead {
            write,
            why: BEHIND.to_owned(),
        }),
    }
    Accepted::Yes
}
