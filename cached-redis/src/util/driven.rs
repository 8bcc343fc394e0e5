//! Whether runtimes are driven, and who takes over from tasks of those that are not.
//!
//! A runtime may be kept and never driven again, as after `block_on(timeout(…))`, and then its tasks tell
//! nobody anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A runtime that runs nothing for so long is driven by nobody.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How often somebody who waits for a task looks whether its runtime is driven.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// A question to a runtime whether it is driven.
pub(super) struct Probe {
    asked: Instant,
    answer: JoinHandle<()>,
}

impl Probe {
    pub(super) fn new(runtime: &Handle) -> Self {
        Self {
            asked: Instant::now(),
            answer: runtime.spawn(async {}),
        }
    }

    /// `None`: it is too early to say.
    pub(super) fn is_driven(&self) -> Option<bool> {
        let is_old = self.asked.elapsed() >= PATIENCE;
        is_old.then(|| self.answer.is_finished())
    }
}

/// What the end of a task does, unless somebody else has to.
pub(crate) trait Unfinished: Send + Sync {
    fn has_ended(&self) -> bool;
    /// To be called where nothing drives the task.
    fn take_over(&self);
}

/// Tasks that nobody waits for.
#[derive(Default)]
pub(crate) struct Unattended {
    tasks: Mutex<Vec<Task>>,
    added: Notify,
}

struct Task {
    runtime: Handle,
    probe: Probe,
    unfinished: Arc<dyn Unfinished>,
}

impl Unattended {
    pub(crate) fn add(&self, runtime: &Handle, unfinished: Arc<dyn Unfinished>) {
        self.lock().push(Task {
            runtime: runtime.clone(),
            probe: Probe::new(runtime),
            unfinished,
        });
        self.added.notify_one();
    }

    /// The task that looks after them.
    pub(crate) async fn attend(self: Arc<Self>) {
        loop {
            while self.look() {
                sleep(LOOK).await;
            }
            self.added.notified().await;
        }
    }

    /// Whether there are any left.
    fn look(&self) -> bool {
        let (undriven, left) = {
            let mut tasks = self.lock();
            tasks.retain(|task| !task.unfinished.has_ended());
            let undriven: Vec<_> = tasks.extract_if(.., Task::is_undriven).collect();
            (undriven, !tasks.is_empty())
        };
        undriven.iter().for_each(|task| task.unfinished.take_over());
        left
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    fn is_undriven(&mut self) -> bool {
        let is_driven = self.probe.is_driven();
        if is_driven == Some(true) {
            self.probe = Probe::new(&self.runtime);
        }
        is_driven == Some(false)
    }
}
