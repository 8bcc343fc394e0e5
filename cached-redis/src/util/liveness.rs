//! Whether runtimes are driven, and who takes over from tasks of those that are not.
//!
//! A runtime may be kept and never driven again, as after `block_on(timeout(…))`, and then its tasks tell
//! nobody anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::util::lock::Mutex;

/// A runtime that runs nothing for so long is driven by nobody.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

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
    /// Seen by every task that looks after them: one of them may be driven by nobody itself.
    added: watch::Sender<()>,
}

struct Task {
    runtime: Handle,
    probe: Probe,
    unfinished: Arc<dyn Unfinished>,
}

impl Unattended {
    pub(crate) fn add(&self, runtime: &Handle, unfinished: Arc<dyn Unfinished>) {
        self.tasks.lock().push(Task {
            runtime: runtime.clone(),
            probe: Probe::new(runtime),
            unfinished,
        });
        self.added.send_replace(());
    }

    /// The task that looks after them.
    pub(crate) async fn attend(self: Arc<Self>) {
        let mut added = self.added.subscribe();
        loop {
            while self.look() {
                sleep(LOOK).await;
            }
            // It cannot fail: the sender is here.
            let _ = added.changed().await;
        }
    }

    /// Whether there are any left.
    fn look(&self) -> bool {
        let (undriven, left) = {
            let mut tasks = self.tasks.lock();
            tasks.retain(|task| !task.unfinished.has_ended());
            let undriven: Vec<_> = tasks.extract_if(.., Task::is_undriven).collect();
            (undriven, !tasks.is_empty())
        };
        undriven.iter().for_each(|task| task.unfinished.take_over());
        left
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::runtime::{Builder, Runtime};
    use tokio::task::yield_now;

    use super::*;

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Unfinished for Flag {
        fn has_ended(&self) -> bool {
            false
        }

        fn take_over(&self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn watched(unattended: &Arc<Unattended>) -> Runtime {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(Arc::clone(unattended).attend());
            yield_now().await;
        });
        runtime
    }

    #[test]
    fn a_watcher_that_nobody_drives_keeps_no_news_from_the_next_one() {
        let unattended = Arc::new(Unattended::default());
        let [undriven, home] = [(); 2].map(|()| watched(&unattended));
        let flag = Arc::new(Flag::default());
        home.block_on(async {
            unattended.add(undriven.handle(), Arc::clone(&flag) as _);
            let taken = async {
                while !flag.0.load(Ordering::SeqCst) {
                    sleep(LOOK).await;
                }
            };
            let in_time = tokio::time::timeout(Duration::from_secs(30), taken).await;
            in_time.expect("it is taken over");
        });
    }
}
