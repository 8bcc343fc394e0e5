//! Signs of life of what may last long, as the lease of a load.
//!
//! Nearly all of it ends before its first sign is due, so it is no more than noted down: a task with a timer of its own
//! costs more than a load from memory. The signs of all that is under way in one runtime are given by one task there. Where
//! nothing drives that, nothing drives what they are the signs of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::util::background::Background;
use crate::util::boxed::{self, Boxed};
use crate::util::lock::Mutex;

/// What gives a sign of life when one is due.
pub(crate) trait Beat: Send + Sync {
    /// Whether there are to be more.
    fn beat(self: Arc<Self>) -> Boxed<'static, bool>;
}

/// The tasks, one for each runtime that has had a use for it. Dropped, it ends them.
#[derive(Default)]
pub(crate) struct Beats(Mutex<Vec<Giver>>);

struct Giver {
    runtime: Id,
    book: Arc<Book>,
    task: Background,
}

/// What is under way in one runtime.
#[derive(Default)]
struct Book {
    notes: Mutex<Notes>,
    /// The task is to look again: something is due before it would.
    sooner: Notify,
}

#[derive(Default)]
struct Notes {
    /// By the time of their next sign and their number.
    all: BTreeMap<(Instant, u64), Note>,
    /// Where those are by now that have given signs.
    moved: HashMap<u64, Instant>,
    numbers: u64,
    /// When the task looks next. `None`: there was nothing lately.
    looks: Option<Instant>,
    /// The time between the signs of the last one noted, since the task has looked.
    latest: Option<Duration>,
}

struct Note {
    period: Duration,
    beat: Arc<dyn Beat>,
}

/// There are signs until this is dropped.
pub(crate) struct Beating {
    book: Arc<Book>,
    first: Instant,
    number: u64,
}

impl Beats {
    /// From now on, after each `period`, by a task of `runtime`.
    pub(crate) fn begin(&self, runtime: &Handle, period: Duration, beat: Arc<dyn Beat>) -> Beating {
        let book = self.book(runtime);
        let (first, number) = book.note(Note { period, beat });
        Beating {
            book,
            first,
            number,
        }
    }

    fn book(&self, runtime: &Handle) -> Arc<Book> {
        let mut givers = self.0.lock();
        let id = runtime.id();
        let is_it = |giver: &&Giver| giver.runtime == id && !giver.task.has_ended();
        if let Some(giver) = givers.iter().find(is_it) {
            return Arc::clone(&giver.book);
        }
        givers.retain(|giver| !giver.task.has_ended());
        let book = Arc::<Book>::default();
        givers.push(Giver {
            runtime: id,
            task: Background(boxed::spawn(runtime, Arc::clone(&book).give())),
            book: Arc::clone(&book),
        });
        book
    }
}

impl Book {
    fn note(&self, note: Note) -> (Instant, u64) {
        let due = Instant::now() + note.period;
        let mut notes = self.notes.lock();
        notes.numbers += 1;
        notes.latest = Some(note.period);
        let place = (due, notes.numbers);
        notes.all.insert(place, note);
        let is_first = notes.looks.is_none_or(|looks| due < looks);
        if is_first {
            notes.looks = Some(due);
        }
        drop(notes);
        if is_first {
            self.sooner.notify_one();
        }
        place
    }

    /// The task.
    async fn give(self: Arc<Self>) {
        loop {
            match self.look() {
                Some(next) => tokio::select! {
                    () = sleep_until(next) => {}
                    () = self.sooner.notified() => {}
                },
                None => self.sooner.notified().await,
            }
        }
    }

    /// Has signs given that are due; when to look again.
    fn look(self: &Arc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let mut notes = self.notes.lock();
        let later = notes.all.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut notes.all, later);
        for ((was, number), note) in due {
            // Each by itself: one that is not answered holds up no other.
            let sign = Arc::clone(self).sign(number, Arc::clone(&note.beat));
            boxed::spawn(&Handle::current(), sign);
            let next = next(was, note.period, now);
            notes.moved.insert(number, next);
            notes.all.insert((next, number), note);
        }
        let soonest = notes.all.keys().next().map(|(due, _)| *due);
        // Once more where there was something: it will not have been the last, and need not wake the task then.
        let latest = notes.latest.take();
        notes.looks = soonest.or(latest.map(|period| now + period));
        notes.looks
    }

    async fn sign(self: Arc<Self>, number: u64, beat: Arc<dyn Beat>) {
        if !beat.beat().await {
            self.forget(number);
        }
    }

    /// Of one that has given signs.
    fn forget(&self, number: u64) {
        let mut notes = self.notes.lock();
        let due = notes.moved.remove(&number);
        let note = due.and_then(|due| notes.all.remove(&(due, number)));
        drop(notes);
        drop(note);
    }
}

/// The first one after `now` of the times that are whole periods after another one.
fn next(mut due: Instant, period: Duration, now: Instant) -> Instant {
    while due <= now {
        due += period;
    }
    due
}

impl Drop for Beating {
    fn drop(&mut self) {
        let place = (self.first, self.number);
        let note = self.book.notes.lock().all.remove(&place);
        if note.is_none() {
            self.book.forget(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    /// Counts its signs, of which there are to be so many.
    struct Counted {
        signs: AtomicUsize,
        most: usize,
    }

    impl Counted {
        fn new(most: usize) -> Arc<Self> {
            let signs = AtomicUsize::new(0);
            Arc::new(Self { signs, most })
        }

        fn signs(&self) -> usize {
            self.signs.load(Ordering::Relaxed)
        }
    }

    impl Beat for Counted {
        fn beat(self: Arc<Self>) -> Boxed<'static, bool> {
            let count = self.signs.fetch_add(1, Ordering::Relaxed) + 1;
            Box::pin(async move { count < self.most })
        }
    }

    async fn wait(halves: u32) {
        // Half a period off, so that it does not matter who is woken first.
        tokio::time::sleep(halves * PERIOD / 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_is_given_after_each_period_until_the_end() {
        let (beats, here) = (Beats::default(), Handle::current());
        let (one, other) = (Counted::new(100), Counted::new(100));
        let beating = beats.begin(&here, PERIOD, Arc::clone(&one) as _);
        wait(1).await;
        assert_eq!(one.signs(), 0);
        let later = beats.begin(&here, PERIOD / 4, Arc::clone(&other) as _);
        wait(2).await;
        assert_eq!(one.signs(), 1);
        assert!((3..=4).contains(&other.signs()), "its own are due sooner");
        wait(4).await;
        assert_eq!(one.signs(), 3);
        drop(beating);
        drop(later);
        let signs = other.signs();
        wait(8).await;
        assert_eq!((one.signs(), other.signs()), (3, signs));
        let book = Arc::clone(&beats.0.lock()[0].book);
        assert!(book.notes.lock().all.is_empty() && book.notes.lock().moved.is_empty());
        // The task sleeps by now.
        let _again = beats.begin(&here, PERIOD, Arc::clone(&one) as _);
        wait(3).await;
        assert_eq!(one.signs(), 4);
        assert_eq!(beats.0.lock().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_sign_follows_one_that_said_so() {
        let beats = Beats::default();
        let counted = Counted::new(2);
        let _beating = beats.begin(&Handle::current(), PERIOD, Arc::clone(&counted) as _);
        wait(20).await;
        assert_eq!(counted.signs(), 2);
        assert!(beats.0.lock()[0].book.notes.lock().all.is_empty());
    }

    #[test]
    fn each_runtime_has_its_own_and_one_that_has_ended_is_forgotten() {
        let beats = Beats::default();
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().build().unwrap()
        };
        let counted = Counted::new(1);
        let begin = |runtime: &tokio::runtime::Runtime, period| {
            beats.begin(runtime.handle(), period, Arc::clone(&counted) as _)
        };
        let first = runtime();
        let _lost = begin(&first, Duration::from_millis(1));
        drop(first);
        let second = runtime();
        let _given = begin(&second, Duration::from_millis(1));
        second.block_on(async {
            while counted.signs() == 0 {
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(counted.signs(), 1);
        assert_eq!(beats.0.lock().len(), 1);
    }
}
