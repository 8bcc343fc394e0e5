//! Where the tasks of a cache run.
//!
//! What a call starts runs on the runtime **of that call**: it is driven, since the call is, and when it
//! ends, what was under way is told by whatever is dropped with it. What goes on between calls, such as
//! the task that keeps the connection, lives on one runtime, its home: the one that the cache was built
//! in. That may end long before the cache does, or stay and be driven by nobody: a helper of tests builds
//! a cache once, and each test has a runtime of its own. Such tasks then begin anew on the runtime of the
//! next call that misses them.
//!
//! Nothing is looked at while all is well: a call asks only when it finds no connection, or something
//! that waits for a task of the home.

use std::fmt;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::background::Background;
use crate::work::Work;

/// A runtime that runs nothing for so long is driven by nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often somebody who waits for a task of the home looks whether it still has one.
const LOOK: Duration = Duration::from_millis(100);

/// See the module. Dropped, it ends its tasks.
pub(crate) struct Home {
    state: Mutex<State>,
    /// Of calls, wherever it is done.
    pub(crate) work: Arc<Work>,
}

struct State {
    runtime: Handle,
    residents: Vec<Begin>,
    /// Those of the residents.
    tasks: Vec<Background>,
    /// What could not be finished where the home is, as that was ending.
    unfinished: Vec<Begin>,
    probe: Option<Probe>,
}

/// Begins a task.
type Begin = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A question to a runtime whether it is driven.
struct Probe {
    asked: Instant,
    answer: JoinHandle<()>,
}

impl Home {
    /// On the current runtime.
    pub(crate) fn here() -> Arc<Self> {
        Self::on(Handle::current())
    }

    pub(crate) fn on(runtime: Handle) -> Arc<Self> {
        let state = Mutex::new(State {
            runtime,
            residents: Vec::new(),
            tasks: Vec::new(),
            unfinished: Vec::new(),
            probe: None,
        });
        let work = Arc::default();
        Arc::new(Self { state, work })
    }

    /// Begins a task, again wherever the home moves to.
    pub(crate) fn house<F>(&self, begin: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.lock().begin(Box::new(move || Box::pin(begin())));
    }

    /// Spawns what a call starts.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match Handle::try_current() {
            Ok(here) => here.spawn(future),
            Err(_) => {
                // Not under the lock: where that has ended, the future is dropped at once, with all that it
                // then has to finish.
                let home = self.lock().runtime.clone();
                home.spawn(future)
            }
        }
    }

    /// Does what is left to be done when something is dropped, maybe with the very runtime of its call:
    /// at once if nothing has to be waited for, else at home. It says whether it is done, and may be
    /// begun again.
    pub(crate) fn finish<F>(&self, begin: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut begun = Box::pin(begin());
        let mut context = Context::from_waker(Waker::noop());
        let polled = begun.as_mut().poll(&mut context);
        if polled == Poll::Ready(true) {
            return;
        }
        let mut state = self.lock();
        if state.has_ended() {
            let work = Arc::clone(&self.work);
            state.unfinished.push(Box::new(move || {
                let (begun, task) = (begin(), work.begin());
                Box::pin(async move {
                    _ = begun.await;
                    drop(task);
                })
            }));
        } else if polled.is_pending() {
            let task = self.work.begin();
            state.runtime.spawn(async move {
                _ = begun.await;
                drop(task);
            });
        }
    }

    /// Moves to the current runtime if nothing runs where it is. To be called by those who miss a task
    /// of it. `true`: all tasks have begun anew.
    pub(crate) fn tend(&self) -> bool {
        let Ok(here) = Handle::try_current() else {
            return false;
        };
        // Somebody else looks.
        let Ok(mut state) = self.state.try_lock() else {
            return false;
        };
        let is_gone = state.is_gone(&here);
        if is_gone {
            state.move_to(here);
            tell_once();
        }
        is_gone
    }

    /// Waits for `future`, which a task of the home brings to its end.
    pub(crate) async fn tended<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        // What an ended runtime has left is begun before it is waited for.
        self.tend();
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                () = async { self.tend(); sleep(LOOK).await } => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").finish_non_exhaustive()
    }
}

impl State {
    fn begin(&mut self, resident: Begin) {
        self.tasks.push(Background(self.runtime.spawn(resident())));
        self.residents.push(resident);
    }

    /// Whether the runtime takes no tasks any more.
    fn has_ended(&self) -> bool {
        Background(self.runtime.spawn(pending())).has_ended()
    }

    fn is_gone(&mut self, here: &Handle) -> bool {
        // Whoever asks is driven.
        if self.runtime.id() == here.id() {
            self.probe = None;
            return false;
        }
        if self.has_ended() {
            return true;
        }
        let probe = self.probe.get_or_insert_with(|| Probe {
            asked: Instant::now(),
            answer: self.runtime.spawn(async {}),
        });
        let is_old = probe.asked.elapsed() >= PATIENCE;
        let is_gone = is_old && !probe.answer.is_finished();
        self.probe.take_if(|_| is_old);
        is_gone
    }

    fn move_to(&mut self, runtime: Handle) {
        self.runtime = runtime;
        let tasks = self
            .residents
            .iter()
            .map(|begin| self.runtime.spawn(begin()));
        self.tasks = tasks.map(Background).collect();
        for begin in self.unfinished.drain(..) {
            self.runtime.spawn(begin());
        }
    }
}

/// Once per process: in tests it is the rule.
fn tell_once() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        crate::unheard::warn!(
            "the runtime that a cache was built in has ended or is driven by nobody: the cache goes on in \
             that of a later call; build it in a runtime that lives as long as it is used"
        );
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A home with one resident, which counts how often it has begun to run.
    fn counted(runtime: &Runtime) -> (Arc<Home>, Arc<AtomicUsize>) {
        let (home, begun) = (
            Home::on(runtime.handle().clone()),
            Arc::<AtomicUsize>::default(),
        );
        let count = Arc::clone(&begun);
        home.house(move || {
            let count = Arc::clone(&count);
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                pending::<()>().await;
            }
        });
        (home, begun)
    }

    async fn begun(count: &AtomicUsize, wanted: usize) {
        while count.load(Ordering::Relaxed) != wanted {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn its_tasks_begin_anew_where_they_are_missed_once_their_runtime_has_ended() {
        let first = runtime();
        let (home, count) = counted(&first);
        first.block_on(async {
            begun(&count, 1).await;
            assert!(!home.tend(), "all is well");
        });
        drop(first);
        assert!(!home.tend(), "there is nowhere to go");
        let second = runtime();
        second.block_on(async {
            assert!(home.tend());
            begun(&count, 2).await;
            assert!(!home.tend(), "once is enough");
        });
    }

    #[test]
    fn its_tasks_begin_anew_once_their_runtime_has_run_nothing_for_long() {
        let (undriven, here) = (runtime(), runtime());
        let (home, count) = counted(&undriven);
        here.block_on(async {
            let moved = async {
                while count.load(Ordering::Relaxed) == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            home.tended(moved).await;
            assert!(!home.tend());
        });
    }

    #[test]
    fn a_runtime_that_is_driven_keeps_its_tasks_however_often_others_ask() {
        let driven = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let (home, count) = counted(&driven);
        runtime().block_on(async {
            let until = Instant::now() + 2 * PATIENCE;
            while Instant::now() < until {
                assert!(!home.tend());
                sleep(LOOK).await;
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_needs_no_waiting_is_done_without_any_runtime() {
        let ended = runtime();
        let home = Home::on(ended.handle().clone());
        drop(ended);
        let done = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&done);
        home.finish(move || {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::ready(true)
        });
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_an_ending_runtime_cannot_finish_is_finished_in_the_next_one() {
        let ended = runtime();
        let home = Home::on(ended.handle().clone());
        drop(ended);
        let done = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&done);
        home.finish(move || {
            let count = Arc::clone(&count);
            async move {
                tokio::task::yield_now().await;
                count.fetch_add(1, Ordering::Relaxed);
                true
            }
        });
        runtime().block_on(async {
            assert!(home.tend());
            begun(&done, 1).await;
        });
    }
}
