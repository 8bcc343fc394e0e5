//! What is seen between two looks at the page: a task that compares the counters with those before, and listens to
//! published invalidations. It asks the store nothing, unless somebody looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cached_redis::Cache;
use cached_redis::events::Notice;
use cached_redis::stats::Stats;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::events::{Event, Events, Severity};
use crate::history::{History, Point, STEP};

mod changes;

/// How long after a look the store is still asked how full it is.
const INTEREST: Duration = Duration::from_secs(30);

/// How many steps pass between two questions.
const SAMPLED: u64 = 5;

pub(crate) struct Watch {
    state: Arc<State>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    cache: Cache,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    events: Events,
    history: History,
    looked: Option<Instant>,
    /// Why the store did not say how full it is.
    sample_problem: Option<String>,
}

impl Watch {
    pub(crate) fn new(cache: Cache) -> Self {
        let seen = Mutex::default();
        Self {
            state: Arc::new(State { cache, seen }),
            task: Mutex::default(),
        }
    }

    /// Begins, unless it has; anew where its runtime has ended.
    pub(crate) fn begin(&self) {
        let mut task = lock(&self.task);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let runtime = Handle::try_current();
            *task = runtime
                .ok()
                .map(|runtime| runtime.spawn(watch(self.state.clone())));
        }
    }

    /// Somebody looks at the page.
    pub(crate) fn looked(&self) {
        self.state.seen().looked = Some(Instant::now());
    }

    pub(crate) fn tell(&self, severity: Severity, kind: &'static str, text: String) {
        self.state.seen().events.tell(severity, kind, text);
    }

    pub(crate) fn events_after(&self, seq: u64, with_names: bool) -> Vec<Event> {
        self.state.seen().events.after(seq, with_names)
    }

    pub(crate) fn points_after(&self, seq: u64) -> Vec<Point> {
        self.state.seen().history.after(seq)
    }

    pub(crate) fn sample_problem(&self) -> Option<String> {
        self.state.seen().sample_problem.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    fn heard(&self, notice: Notice) {
        match notice {
            Notice::Invalidated(what) => self.seen().events.published(what),
            _ => self.seen().events.gap(),
        }
    }

    /// One look at the counters.
    fn compare(&self, before: &Stats) -> Stats {
        let now = self.cache.stats();
        let mut seen = self.seen();
        for (severity, kind, text) in changes::between(before, &now) {
            seen.events.tell(severity, kind, text);
        }
        seen.history.add(&now);
        now
    }

    fn is_of_interest(&self) -> bool {
        self.seen().looked.is_some_and(|at| at.elapsed() < INTEREST)
    }

    /// Asks the store how full it is. That it does not say is shown, and nothing else comes of it.
    async fn sample(&self) {
        let problem = match timeout(STEP, self.cache.store_sample()).await {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some("the store did not answer in time".to_owned()),
        };
        self.seen().sample_problem = problem;
    }
}

async fn watch(state: Arc<State>) {
    let mut events = state.cache.events().await;
    let mut before = state.cache.stats();
    let mut ticks = interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since_sample = SAMPLED;
    let mut listening = true;
    loop {
        tokio::select! {
            notice = events.next(), if listening => match notice {
                Some(notice) => state.heard(notice),
                None => listening = false,
            },
            _ = ticks.tick() => {
                before = state.compare(&before);
                since_sample += 1;
                if since_sample >= SAMPLED && state.is_of_interest() {
                    since_sample = 0;
                    state.sample().await;
                }
            }
        }
    }
}

/// A panic elsewhere is no reason to show nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn that_events_may_be_missing_is_told() {
        let cache = Cache::builder().url("memory://").build();
        let watch = Watch::new(cache.await.expect("a cache in memory"));
        watch.state.heard(Notice::Gap);
        let told = serde_json::to_value(watch.events_after(0, false)).expect("JSON");
        assert_eq!(told[0]["kind"], "gap");
    }
}
