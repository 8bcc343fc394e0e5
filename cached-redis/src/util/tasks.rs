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
use std::pin::pin;
use std::sync::{Arc, Once, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::util::background::Background;
use crate::util::beats::{Beat, Beating, Beats};
use crate::util::boxed::{self, Boxed};
use crate::util::liveness::{LOOK, Probe, Unattended};
use crate::util::lock::Mutex;
use crate::util::work::Work;

/// See the module. Dropped, it ends its tasks.
pub(crate) struct Tasks {
    state: Mutex<State>,
    /// Of calls, wherever it is done.
    pub(crate) work: Arc<Work>,
    pub(crate) unattended: Arc<Unattended>,
    /// Signs of life of what calls have under way.
    beats: Beats,
    /// Those that move along.
    main: Weak<Self>,
}

struct State {
    runtime: Handle,
    /// A task of it, which ends with it alone.
    sentinel: Background,
    residents: Vec<Begin>,
    /// Those of the residents.
    tasks: Vec<Background>,
    /// What could not be finished where the home is, as that was ending. It does not keep the cache alive.
    unfinished: Vec<Begin>,
    probe: Option<Probe>,
}

/// Begins a task.
type Begin = Arc<dyn Fn() -> Task + Send + Sync>;

type Task = Boxed<'static, ()>;

impl Tasks {
    /// On the current runtime.
    pub(crate) fn here() -> Arc<Self> {
        Self::on(Handle::current())
    }

    pub(crate) fn on(runtime: Handle) -> Arc<Self> {
        Self::with(runtime, Weak::new())
    }

    fn with(runtime: Handle, main: Weak<Self>) -> Arc<Self> {
        let state = Mutex::new(State {
            sentinel: Background(runtime.spawn(pending())),
            runtime,
            residents: Vec::new(),
            tasks: Vec::new(),
            unfinished: Vec::new(),
            probe: None,
        });
        Arc::new(Self {
            state,
            work: Arc::default(),
            unattended: Arc::default(),
            beats: Beats::default(),
            main,
        })
    }

    /// Others with the same home, which end by themselves. These move along where those have to move.
    pub(crate) fn beside(self: &Arc<Self>) -> Arc<Self> {
        Self::with(self.runtime(), Arc::downgrade(self))
    }

    /// Begins a task, again wherever the home moves to.
    pub(crate) fn house<F>(&self, begin: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let begin: Begin = Arc::new(move || Box::pin(begin()));
        // Before the home can move: the one that is begun there takes its place.
        let first = begin();
        self.state.lock().residents.push(begin);
        let runtime = self.runtime();
        let task = Background(runtime.spawn(first));
        let mut state = self.state.lock();
        if state.runtime.id() == runtime.id() {
            state.tasks.push(task);
        }
    }

    /// Spawns what a call starts.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        boxed::spawn(&self.here_or_home(), future)
    }

    /// Has signs of life given by the runtime of a call, until what it returns is dropped.
    pub(crate) fn beat<B: Beat + 'static>(&self, period: Duration, beat: &Arc<B>) -> Beating {
        let beat = Arc::clone(beat) as _;
        self.beats.begin(&self.here_or_home(), period, beat)
    }

    /// The runtime of a call.
    pub(crate) fn here_or_home(&self) -> Handle {
        Handle::try_current().unwrap_or_else(|_| self.runtime())
    }

    /// Does what is left to be done when something is dropped, maybe with the very runtime of its call:
    /// at once if nothing has to be waited for, else there if it goes on, else at home, where it begins
    /// anew: what has begun may have to do with the timer of its runtime. It says whether it is done.
    pub(crate) fn finish<F>(&self, begin: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut begun = Box::pin(begin());
        let mut context = Context::from_waker(Waker::noop());
        let polled = begun.as_mut().poll(&mut context);
        if polled == Poll::Ready(true) {
            return;
        }
        let here = Handle::try_current().ok().filter(|here| !has_ended(here));
        let home = self.runtime();
        match here {
            Some(here) if polled.is_pending() => {
                boxed::spawn(&here, counted(&self.work, begun));
            }
            _ if has_ended(&home) => {
                let work = Arc::clone(&self.work);
                let begin = move || Box::pin(counted(&work, begin())) as Task;
                self.state.lock().unfinished.push(Arc::new(begin));
            }
            _ if polled.is_pending() => drop(boxed::spawn(&home, counted(&self.work, begin()))),
            // Where it is, it was tried.
            _ => {}
        }
    }

    /// Moves to the current runtime if nothing runs where it is. To be called by those who miss a task
    /// of it. `true`: all tasks have begun anew.
    pub(crate) fn tend(&self) -> bool {
        let Ok(here) = Handle::try_current() else {
            return false;
        };
        let Some((residents, unfinished)) = self.leave(&here) else {
            return false;
        };
        let tasks = residents
            .iter()
            .map(|begin| Background(here.spawn(begin())));
        let mut tasks = tasks.collect();
        {
            let mut state = self.state.lock();
            // Else it has moved on meanwhile.
            if state.runtime.id() == here.id() {
                std::mem::swap(&mut state.tasks, &mut tasks);
            }
        }
        drop(tasks);
        for begin in unfinished {
            here.spawn(begin());
        }
        tell_once();
        if let Some(main) = self.main.upgrade() {
            main.tend();
        }
        true
    }

    /// Moves, if nothing runs where it is; what is to begin anew.
    fn leave(&self, here: &Handle) -> Option<(Vec<Begin>, Vec<Begin>)> {
        // Locked, somebody else looks.
        let mut state = self.state.try_lock()?;
        state.is_gone(here).then(|| state.move_to(here.clone()))
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

    /// Where it is. Nothing is spawned under the lock: where that has ended, the future is dropped at once,
    /// with all that it then has to finish.
    fn runtime(&self) -> Handle {
        self.state.lock().runtime.clone()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").finish_non_exhaustive()
    }
}

impl State {
    fn is_gone(&mut self, here: &Handle) -> bool {
        // Whoever asks is driven.
        if self.runtime.id() == here.id() {
            self.probe = None;
            return false;
        }
        if self.sentinel.has_ended() {
            return true;
        }
        // Under the lock, but they have nothing to finish.
        let probe = self.probe.get_or_insert_with(|| Probe::new(&self.runtime));
        let is_driven = probe.is_driven();
        self.probe.take_if(|_| is_driven.is_some());
        is_driven == Some(false)
    }

    /// Gives what is to begin anew there, and what is to be finished there.
    fn move_to(&mut self, runtime: Handle) -> (Vec<Begin>, Vec<Begin>) {
        self.sentinel = Background(runtime.spawn(pending()));
        self.runtime = runtime;
        self.probe = None;
        (self.residents.clone(), std::mem::take(&mut self.unfinished))
    }
}

/// Whether `runtime` takes no tasks any more. A task that waits in it ends a moment later.
fn has_ended(runtime: &Handle) -> bool {
    Background(runtime.spawn(pending())).has_ended()
}

/// As a task that is waited for.
fn counted<F>(work: &Arc<Work>, begun: F) -> impl Future<Output = ()> + Send + use<F>
where
    F: Future<Output = bool> + Send,
{
    let task = work.begin();
    async move {
        _ = begun.await;
        drop(task);
    }
}

/// Once per process: in tests it is the rule.
fn tell_once() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        crate::util::warning::warn!(
            "the runtime that a cache was built in has ended or is driven by nobody: the cache goes on in \
             that of a later call; build it in a runtime that lives as long as it is used"
        );
    });
}

#[cfg(test)]
mod tests;
