//! Transactions that have come and are not confirmed.
//!
//! They come in the order of their commits, and so they are confirmed; what one of them waits for does not hold
//! up the invalidations of the others.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::snapshot::Snapshot;
use super::stream::Event;
use crate::Lsn;
use crate::message::{Malformed, Message, PREFIX};

/// How many names a transaction may have before it stands for the whole namespace; a long one counts as several.
const MOST_NAMES: usize = 200_000;

/// How many names and transactions wait at most; then no more are read.
const ROOM: usize = 2 * MOST_NAMES;

/// See the module.
#[derive(Default)]
pub(super) struct Window {
    /// What has begun to come.
    open: Option<Transaction>,
    closed: VecDeque<Transaction>,
    /// What they name, about.
    size: usize,
}

pub(super) struct Transaction {
    /// Of one that is visible at once there is none.
    xid: Option<u32>,
    /// Where it ends.
    end: Lsn,
    pub(super) committed: SystemTime,
    pub(super) message: Message,
    pub(super) messages: u64,
    /// Of its messages, all together.
    weight: usize,
    /// Whether it was looked at before it was visible.
    has_waited: bool,
    is_visible: bool,
    is_done: bool,
}

impl Transaction {
    fn new(xid: Option<u32>, committed: SystemTime) -> Self {
        Self {
            xid,
            end: Lsn::default(),
            committed,
            message: Message::default(),
            messages: 0,
            weight: 0,
            has_waited: false,
            is_visible: xid.is_none(),
            is_done: false,
        }
    }

    fn add(&mut self, message: Message) {
        self.messages += 1;
        self.weight += message.weight();
        self.message.extend(message);
        if self.weight > MOST_NAMES && !self.message.everything {
            tracing::warn!(
                "a transaction names more keys than are invalidated one by one: the whole namespace is removed"
            );
            self.message.extend(Message {
                everything: true,
                ..Message::default()
            });
        }
        if self.message.everything {
            self.weight = 0;
        }
    }
}

impl Window {
    /// Whether more may come.
    pub(super) fn has_room(&self) -> bool {
        self.size < ROOM
    }

    /// Takes what has come, for a cache of this namespace; gives what is wrong with it.
    pub(super) fn take(&mut self, event: Event, namespace: &str) -> Option<Malformed> {
        match event {
            Event::Begin { xid, committed } => {
                self.open = Some(Transaction::new(Some(xid), committed));
            }
            Event::Commit { end } => {
                if let Some(open) = self.open.take() {
                    self.close(open, end);
                }
            }
            Event::Idle { end } => {
                if self.open.is_none() {
                    self.close(Transaction::new(None, UNIX_EPOCH), end);
                }
            }
            Event::Message {
                prefix,
                content,
                transactional,
                lsn,
            } if prefix == PREFIX => {
                let (message, wrong) = Message::read(&content);
                let is_ours = message
                    .namespace
                    .as_deref()
                    .is_none_or(|of| of == namespace);
                if is_ours && !message.is_empty() {
                    self.add(message, transactional, lsn);
                }
                return wrong.filter(|_| is_ours);
            }
            Event::Message { .. } => {}
        }
        None
    }

    fn add(&mut self, message: Message, transactional: bool, lsn: Lsn) {
        match &mut self.open {
            Some(open) if transactional => open.add(message),
            // It belongs to no transaction: it holds at once.
            _ => {
                let mut alone = Transaction::new(None, SystemTime::now());
                alone.add(message);
                self.close(alone, lsn);
            }
        }
    }

    fn close(&mut self, mut transaction: Transaction, end: Lsn) {
        transaction.end = end;
        transaction.is_done = transaction.message.is_empty();
        let last = self.closed.back_mut().filter(|last| last.is_done);
        match last {
            Some(last) if transaction.is_done => last.end = last.end.max(end),
            _ => {
                self.size += transaction.weight + 1;
                self.closed.push_back(transaction);
            }
        }
    }

    /// Whether any of them waits to be seen.
    pub(super) fn has_hidden(&self) -> bool {
        self.closed.iter().any(|it| !it.is_visible && !it.is_done)
    }

    /// Marks those that a snapshot sees; gives how many are found hidden for the first time.
    pub(super) fn look(&mut self, snapshot: &Snapshot) -> u64 {
        let mut hidden = 0;
        for it in self
            .closed
            .iter_mut()
            .filter(|it| !it.is_visible && !it.is_done)
        {
            it.is_visible = it.xid.is_none_or(|xid| snapshot.sees(xid));
            hidden += u64::from(!it.is_visible && !it.has_waited);
            it.has_waited |= !it.is_visible;
        }
        hidden
    }

    /// All of them are taken as visible: for the tests of what the gate is for.
    pub(super) fn look_away(&mut self) {
        self.closed.iter_mut().for_each(|it| it.is_visible = true);
    }

    /// Those that are visible and not invalidated.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Transaction> {
        self.closed.iter().filter(|it| it.is_visible && !it.is_done)
    }

    /// All [visible](Self::visible) ones were invalidated.
    pub(super) fn done(&mut self) {
        let visible = self.closed.iter_mut().filter(|it| it.is_visible);
        visible.for_each(|it| it.is_done = true);
    }

    /// Drops those at the beginning that are done; gives where the last one ends.
    pub(super) fn confirm(&mut self) -> Option<Lsn> {
        let mut end = None;
        while self.closed.front().is_some_and(|it| it.is_done)
            && let Some(done) = self.closed.pop_front()
        {
            self.size -= done.weight + 1;
            end = Some(done.end);
        }
        end
    }

    /// When the oldest that waits was committed.
    pub(super) fn oldest(&self) -> Option<SystemTime> {
        let waiting = self.closed.iter().filter(|it| !it.is_done);
        waiting.map(|it| it.committed).min()
    }
}

/// A time of PostgreSQL: microseconds since the year 2000.
pub(super) fn time(micros: i64) -> SystemTime {
    const EPOCH: Duration = Duration::from_secs(946_684_800);
    let since = Duration::from_micros(micros.unsigned_abs());
    let time = match micros < 0 {
        true => (UNIX_EPOCH + EPOCH).checked_sub(since),
        false => (UNIX_EPOCH + EPOCH).checked_add(since),
    };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: &str = "shop";

    fn message(text: &str) -> Event {
        Event::Message {
            transactional: true,
            lsn: Lsn(1),
            prefix: PREFIX.to_owned(),
            content: text.as_bytes().to_vec(),
        }
    }

    fn transaction(window: &mut Window, xid: u32, end: u64, text: &str) {
        let committed = UNIX_EPOCH;
        window.take(Event::Begin { xid, committed }, SPACE);
        window.take(message(text), SPACE);
        window.take(Event::Commit { end: Lsn(end) }, SPACE);
    }

    fn keys(window: &Window) -> Vec<String> {
        window
            .visible()
            .flat_map(|it| it.message.keys.clone())
            .collect()
    }

    #[test]
    fn one_that_is_hidden_holds_up_the_confirmation_of_later_ones_and_not_their_invalidation() {
        let mut window = Window::default();
        transaction(&mut window, 10, 100, r#"{"keys":["a"]}"#);
        transaction(&mut window, 11, 200, r#"{"keys":["b"]}"#);
        assert!(window.has_hidden() && window.visible().next().is_none());
        let first = Snapshot::parse("10:12:10").unwrap();
        assert_eq!((window.look(&first), window.look(&first)), (1, 0));
        assert_eq!(keys(&window), ["b"]);
        window.done();
        assert_eq!((window.confirm(), keys(&window).len()), (None, 0));
        window.look(&Snapshot::parse("12:12:").unwrap());
        assert_eq!(keys(&window), ["a"]);
        window.done();
        assert_eq!(window.confirm(), Some(Lsn(200)));
        assert_eq!((window.size, window.oldest()), (0, None));
    }

    #[test]
    fn what_names_nothing_is_confirmed_behind_what_does() {
        let mut window = Window::default();
        window.take(Event::Idle { end: Lsn(50) }, SPACE);
        assert_eq!(window.confirm(), Some(Lsn(50)));
        transaction(&mut window, 10, 100, r#"{"keys":["a"]}"#);
        for end in [110, 120] {
            window.take(Event::Idle { end: Lsn(end) }, SPACE);
        }
        assert_eq!((window.confirm(), window.closed.len()), (None, 2));
        window.look(&Snapshot::parse("12:12:").unwrap());
        window.done();
        assert_eq!(window.confirm(), Some(Lsn(120)));
    }

    #[test]
    fn nothing_is_confirmed_in_the_middle_of_a_transaction() {
        let mut window = Window::default();
        let committed = UNIX_EPOCH;
        window.take(Event::Begin { xid: 1, committed }, SPACE);
        window.take(Event::Idle { end: Lsn(50) }, SPACE);
        assert_eq!(window.confirm(), None);
    }

    #[test]
    fn what_is_of_another_namespace_or_prefix_is_not_ours() {
        let mut window = Window::default();
        transaction(&mut window, 1, 10, r#"{"namespace":"other","keys":["a"]}"#);
        transaction(&mut window, 2, 20, r#"{"namespace":"shop","keys":["b"]}"#);
        window.take(
            Event::Begin {
                xid: 3,
                committed: UNIX_EPOCH,
            },
            SPACE,
        );
        let of_others = Event::Message {
            transactional: true,
            lsn: Lsn(1),
            prefix: "other".to_owned(),
            content: b"x".to_vec(),
        };
        assert_eq!(window.take(of_others, SPACE), None);
        window.take(Event::Commit { end: Lsn(30) }, SPACE);
        window.look(&Snapshot::parse("12:12:").unwrap());
        assert_eq!(keys(&window), ["b"]);
    }

    #[test]
    fn too_many_names_are_everything() {
        let mut window = Window::default();
        let names: Vec<_> = (0..=MOST_NAMES).map(|n| format!("\"{n}\"")).collect();
        transaction(
            &mut window,
            1,
            10,
            &format!("{{\"keys\":[{}]}}", names.join(",")),
        );
        window.look(&Snapshot::parse("12:12:").unwrap());
        assert!(
            window
                .visible()
                .all(|it| it.message.everything && it.message.keys.is_empty())
        );
        assert!(window.has_room());
    }

    #[test]
    fn names_that_are_long_are_everything_sooner() {
        let mut window = Window::default();
        let long = "x".repeat(64 * MOST_NAMES);
        transaction(&mut window, 1, 10, &format!("{{\"keys\":[\"{long}\"]}}"));
        window.look(&Snapshot::parse("12:12:").unwrap());
        assert!(window.visible().all(|it| it.message.everything));
        window.done();
        assert_eq!((window.confirm(), window.size), (Some(Lsn(10)), 0));
    }

    #[test]
    fn times_are_those_since_2000() {
        assert_eq!(time(0), UNIX_EPOCH + Duration::from_secs(946_684_800));
        assert!(time(-1) < time(0) && time(i64::MAX) > time(0));
    }
}
