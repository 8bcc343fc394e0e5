//! What calls leave behind them to be finished: fills, refreshes, invalidations, releases of leases.
//!
//! Its tasks die with their runtime. A program that ends right after its work would lose what it has
//! loaded and leave its leases, on which the next one waits; so it can wait for them before. Others may go
//! on beginning tasks meanwhile, and are not waited for: each task is of a generation, and whoever waits
//! ends the current one.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

/// How long a chain of tasks is of which one begins the next.
const LINKS: usize = 3;

/// That of one cache.
#[derive(Default)]
pub(crate) struct Work(watch::Sender<State>);

#[derive(Default)]
struct State {
    /// How many tasks there are of each generation, from the first that has any.
    generations: VecDeque<usize>,
    /// The number of the first of them.
    first: u64,
}

impl State {
    /// The number of the current generation.
    fn current(&mut self) -> u64 {
        if self.generations.is_empty() {
            self.generations.push_back(0);
        }
        self.first + self.generations.len() as u64 - 1
    }

    fn tasks_of(&mut self, generation: u64) -> &mut usize {
        &mut self.generations[(generation - self.first) as usize]
    }

    /// Forgets those that have ended before the current one; whether there were any.
    fn forget(&mut self) -> bool {
        let first = self.first;
        while self.generations.len() > 1 && self.generations[0] == 0 {
            self.generations.pop_front();
            self.first += 1;
        }
        self.first != first
    }
}

impl Work {
    /// One more task, until what is returned is dropped. To be called before it is spawned.
    pub(crate) fn begin(self: &Arc<Self>) -> Begun {
        let mut generation = 0;
        self.0.send_if_modified(|state| {
            generation = state.current();
            *state.tasks_of(generation) += 1;
            false
        });
        Begun(Arc::clone(self), generation)
    }

    /// For a task that waits until somebody lets go: it counts from that very moment.
    pub(crate) fn cue(self: &Arc<Self>) -> (Cue, oneshot::Receiver<Begun>) {
        let (sender, given) = oneshot::channel();
        let cue = Cue {
            work: Arc::clone(self),
            sender: Some(sender),
        };
        (cue, given)
    }

    pub(crate) fn tasks(&self) -> usize {
        self.0.borrow().generations.iter().sum()
    }

    /// Until those have ended that have begun before, and what they leave in turn: a refresh its fill, and
    /// a fill the release of its lease.
    pub(crate) async fn done(&self) {
        for _ in 0..LINKS {
            self.ended().await;
        }
    }

    async fn ended(&self) {
        let mut generation = 0;
        self.0.send_if_modified(|state| {
            generation = state.current();
            state.generations.push_back(0);
            state.forget()
        });
        let mut state = self.0.subscribe();
        // It cannot fail: the sender is here.
        let _ = state.wait_for(|now| now.first > generation).await;
    }
}

/// A task that has not ended, of a generation.
pub(crate) struct Begun(Arc<Work>, u64);

impl Drop for Begun {
    fn drop(&mut self) {
        let Self(work, generation) = self;
        work.0.send_if_modified(|state| {
            *state.tasks_of(*generation) -= 1;
            state.forget()
        });
    }
}

/// Dropped, it has the task go on that waits for it.
pub(crate) struct Cue {
    work: Arc<Work>,
    sender: Option<oneshot::Sender<Begun>>,
}

impl Drop for Cue {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            // Nobody takes it if the task has ended.
            let _ = sender.send(self.work.begin());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn whoever_waits_waits_for_what_had_begun_before_and_for_nothing_else() {
        let work = Arc::<Work>::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut wait = |mut ended: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            ended.as_mut().poll(&mut context).is_ready()
        };
        assert!(wait(pin!(work.ended())), "there is nothing");
        let (first, second) = (work.begin(), work.begin());
        let mut ended = pin!(work.ended());
        assert!(!wait(ended.as_mut()));
        let third = work.begin();
        drop(first);
        assert!(!wait(ended.as_mut()) && work.tasks() == 2);
        drop(second);
        assert!(
            wait(ended) && work.tasks() == 1,
            "the third has begun since"
        );
        let mut ended = pin!(work.ended());
        assert!(!wait(ended.as_mut()));
        drop(third);
        assert!(wait(ended) && work.tasks() == 0);
    }
}
