//! Channels and logs of a store in memory: what Pub/Sub and streams are on Redis.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::MemoryStore;
use crate::store::log::{self, BATCH, Batch, Reader};
use crate::store::mailbox::{Heard, Mailbox, Slot, mailbox};
use crate::store::{Answer, Outlet, Retention};
use crate::util::lock::Mutex;

/// All channels and logs of a store, by name.
#[derive(Default)]
pub(super) struct Feeds(Mutex<State>);

#[derive(Default)]
struct State {
    channels: HashMap<String, Vec<Slot>>,
    logs: HashMap<String, Log>,
}

#[derive(Default)]
struct Log {
    entries: VecDeque<(u64, Bytes)>,
    /// The number of the newest entry there was, for those who wait for the next.
    newest: watch::Sender<u64>,
    /// The number of the newest entry that was dropped for room.
    dropped: u64,
    groups: HashMap<String, Group>,
}

struct Group {
    /// The last entry that was handed out.
    delivered: u64,
    pending: BTreeMap<u64, Pending>,
}

struct Pending {
    consumer: String,
    since: Instant,
}

impl MemoryStore {
    pub(in crate::store) fn send(&self, outlet: &Outlet, message: &Bytes) {
        let mut state = self.feeds.0.lock();
        if let Some(slots) = state.channels.get_mut(&outlet.channel) {
            slots.retain(|slot| slot.put(Heard::Message(message.clone())));
        }
        if let Some(retention) = &outlet.retention {
            state.log(&retention.log).append(message.clone(), retention);
        }
    }

    /// Hears from now on what is sent on `channel`.
    pub(in crate::store) fn listen(&self, channel: &str) -> Mailbox {
        let (slot, mailbox) = mailbox();
        let mut state = self.feeds.0.lock();
        state
            .channels
            .entry(channel.to_owned())
            .or_default()
            .push(slot);
        mailbox
    }

    pub(in crate::store) fn acknowledge(&self, reader: &Reader, id: &str) {
        let mut state = self.feeds.0.lock();
        let group = state.log(&reader.log).groups.get_mut(&reader.group);
        if let (Some(group), Ok(id)) = (group, id.parse()) {
            group.pending.remove(&id);
        }
    }
}

impl State {
    fn log(&mut self, name: &str) -> &mut Log {
        self.logs.entry(name.to_owned()).or_default()
    }
}

impl Log {
    fn append(&mut self, message: Bytes, retention: &Retention) {
        let number = *self.newest.borrow() + 1;
        self.entries.push_back((number, message));
        while self.entries.len() as u64 > retention.most {
            if let Some((number, _)) = self.entries.pop_front() {
                self.dropped = number;
            }
        }
        self.newest.send_replace(number);
    }

    fn message(&self, number: u64) -> Option<Bytes> {
        let at = self
            .entries
            .binary_search_by_key(&number, |(number, _)| *number);
        at.ok().map(|at| self.entries[at].1.clone())
    }

    fn batch(&self, gap: bool, numbers: &[u64]) -> Batch {
        let entry = |number: &u64| (number.to_string(), self.message(*number));
        Batch {
            gap,
            entries: numbers.iter().map(entry).collect(),
            more: numbers.len() == BATCH,
        }
    }
}

/// One consumer's way to a log in memory.
pub(in crate::store) struct MemoryLog {
    store: Arc<MemoryStore>,
    reader: Arc<Reader>,
}

impl MemoryLog {
    pub(in crate::store) fn new(store: Arc<MemoryStore>, reader: Arc<Reader>) -> Self {
        Self { store, reader }
    }

    /// Lets `change` see the log and the group, which is made anew if it is gone.
    fn with<R>(&self, change: impl FnOnce(&mut Log, &mut Group) -> R) -> R {
        let mut state = self.store.feeds.0.lock();
        let log = state.log(&self.reader.log);
        let group = log.groups.remove(&self.reader.group);
        let mut group = group.unwrap_or_else(|| Group::at(0));
        let result = change(log, &mut group);
        log.groups.insert(self.reader.group.clone(), group);
        result
    }

    /// The next entries for this consumer, if there are any.
    fn take(&self) -> Batch {
        self.with(|log, group| {
            let next = log.entries.iter().map(|(number, _)| *number);
            let next = next.filter(|number| *number > group.delivered);
            let numbers: Vec<_> = next.take(BATCH).collect();
            let gap = log.dropped > group.delivered;
            group.delivered = numbers.last().copied().unwrap_or(group.delivered);
            group.hand_to(&self.reader.consumer, &numbers);
            log.batch(gap && !numbers.is_empty(), &numbers)
        })
    }
}

impl Group {
    fn at(delivered: u64) -> Self {
        Self {
            delivered,
            pending: BTreeMap::new(),
        }
    }

    fn hand_to(&mut self, consumer: &str, numbers: &[u64]) {
        for number in numbers {
            let pending = Pending {
                consumer: consumer.to_owned(),
                since: Instant::now(),
            };
            self.pending.insert(*number, pending);
        }
    }

    fn numbers(&self, wanted: impl Fn(u64, &Pending) -> bool) -> Vec<u64> {
        let pending = self.pending.iter();
        let wanted = pending.filter(|(number, pending)| wanted(**number, pending));
        wanted.map(|(number, _)| *number).take(BATCH).collect()
    }
}

impl log::Log for MemoryLog {
    async fn connect(&mut self) -> Answer<()> {
        Ok(())
    }

    /// Nothing outlives a crash here: other holes are told with the next entries.
    async fn lacks(&mut self) -> Answer<bool> {
        let mut state = self.store.feeds.0.lock();
        let groups = &state.log(&self.reader.log).groups;
        Ok(!groups.contains_key(&self.reader.group))
    }

    async fn create(&mut self, from_start: bool) -> Answer<bool> {
        let mut state = self.store.feeds.0.lock();
        let log = state.log(&self.reader.log);
        if log.groups.contains_key(&self.reader.group) {
            return Ok(false);
        }
        let delivered = if from_start { 0 } else { *log.newest.borrow() };
        let group = Group::at(delivered);
        log.groups.insert(self.reader.group.clone(), group);
        Ok(true)
    }

    async fn pending(&mut self, after: &str) -> Answer<Batch> {
        let after = after.parse().unwrap_or(0);
        let own =
            |number, pending: &Pending| number > after && pending.consumer == self.reader.consumer;
        Ok(self.with(|log, group| log.batch(false, &group.numbers(own))))
    }

    async fn fresh(&mut self, wait: Duration) -> Answer<Batch> {
        let batch = self.take();
        if !batch.entries.is_empty() {
            return Ok(batch);
        }
        let (mut newest, delivered) =
            self.with(|log, group| (log.newest.subscribe(), group.delivered));
        let more = newest.wait_for(|newest| *newest > delivered);
        // Whether some came is seen from what there is.
        let _ = timeout(wait, more).await.map(drop);
        Ok(self.take())
    }

    async fn claim(&mut self) -> Answer<Batch> {
        let long_ago = self.reader.claim_after;
        Ok(self.with(|log, group| {
            let numbers = group.numbers(|_, pending| pending.since.elapsed() >= long_ago);
            group.hand_to(&self.reader.consumer, &numbers);
            log.batch(false, &numbers)
        }))
    }

    async fn acknowledge(&mut self, ids: Vec<String>) -> Answer<()> {
        for id in ids {
            self.store.acknowledge(&self.reader, &id);
        }
        Ok(())
    }
}
