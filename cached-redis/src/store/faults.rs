//! Which step of the store meets which fault.
//!
//! The fate of a step depends on the seed and on how many steps came before it, and on nothing else:
//! every step takes the same number of random numbers, whatever comes of them. So a test whose steps
//! come in the same order finds the same faults again.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;

use crate::error::Error;
use crate::util::lock::Mutex;

/// A plan of faults between a cache and its store, for [`Builder::faults`](crate::Builder::faults).
///
/// A *step* is one thing that the cache asks of the store: look, take a lease, fill, invalidate. What a
/// batch asks for many keys goes in steps of two.
/// Each meets one fault at most, so the chances are parts of one whole. The faults are those of a
/// network and of a server behind it; what they must never cause is a stale value or a hang.
///
/// Clones share the seed's sequence, the switches and the counters, so keep one to switch with, and
/// give others to the caches of the test: they then are processes behind one bad network.
///
/// ```
/// use std::time::Duration;
/// use cached_redis::{Cache, testing::Faults};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let faults = Faults::seeded(7)
///     .delay(0.1, Duration::from_millis(20))
///     .fail(0.05)
///     .lose_answer(0.05)
///     .drop(0.05)
///     .reorder(0.1);
/// let cache = Cache::builder().url("memory://").faults(faults.clone()).build().await?;
/// for user in 0..100 {
///     cache.invalidate(format!("user:{user}")).await?;
/// }
/// assert!(faults.injected().total() > 0, "seed 7: {:?}", faults.injected());
///
/// faults.heal();
/// cache.flush().await?; // all of it arrives
/// assert!(cache.stats().pending_invalidations().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a builder has it"]
pub struct Faults {
    plan: Plan,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    delay: (f64, Duration),
    fail: f64,
    lose_answer: f64,
    drop: f64,
    reorder: f64,
    at: Option<fn(&'static str, bool)>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The greatest number of a step that has run, for those that are held back until then.
    ran: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    random: Rng,
    steps: u64,
    outage: bool,
    healed: bool,
    injected: Injected,
}

/// How many steps met which fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// Ran later than they were asked for.
    pub delayed: u64,
    /// Failed at once, those of an outage included.
    pub failed: u64,
    /// Ran, and their answers were lost.
    pub lost_answers: u64,
    /// Never ran, and were not answered.
    pub dropped: u64,
    /// Were held back until a later one had run.
    pub reordered: u64,
}

impl Injected {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delayed + self.failed + self.lost_answers + self.dropped + self.reordered
    }
}

/// What becomes of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Run,
    Delay(Duration),
    Fail,
    LoseAnswer,
    Drop,
    HoldBack,
}

impl Faults {
    /// A plan without faults yet: they are added one by one, before the plan is cloned. Print the
    /// seed when a test fails.
    pub fn seeded(seed: u64) -> Self {
        let state = State {
            random: Rng::with_seed(seed),
            steps: 0,
            outage: false,
            healed: false,
            injected: Injected::default(),
        };
        Self {
            plan: Plan::default(),
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                ran: watch::Sender::new(0),
            }),
        }
    }

    /// With this chance a step comes late, by up to `most`. If that is later than the
    /// [`deadline`](crate::Builder::deadline), the cache has stopped waiting and the step runs all the
    /// same.
    pub fn delay(mut self, chance: f64, most: Duration) -> Self {
        self.plan.delay = (chance, most);
        self
    }

    /// With this chance a step fails at once and never runs, as without a connection.
    pub fn fail(mut self, chance: f64) -> Self {
        self.plan.fail = chance;
        self
    }

    /// With this chance a step runs and its answer is lost, as when the connection breaks.
    pub fn lose_answer(mut self, chance: f64) -> Self {
        self.plan.lose_answer = chance;
        self
    }

    /// With this chance a step never runs and nothing answers until the
    /// [`deadline`](crate::Builder::deadline).
    pub fn drop(mut self, chance: f64) -> Self {
        self.plan.drop = chance;
        self
    }

    /// With this chance a step is held back until a later one has run, or for ten times the
    /// [`deadline`](crate::Builder::deadline) if none comes. The cache waits for it as long as for any
    /// other, and it runs even if nobody waits any more: as a fill does that was on its way for long.
    pub fn reorder(mut self, chance: f64) -> Self {
        self.plan.reorder = chance;
        self
    }

    /// Calls `at` before each step with its name and `false`, and with `true` when it has run: a process can end itself
    /// there, at each of its awaits in turn. The names are those of the steps in this library, and change with it.
    pub fn at_each_step(mut self, at: fn(&'static str, bool)) -> Self {
        self.plan.at = Some(at);
        self
    }

    /// While it is on, every step fails at once and never runs. When it is over, deferred
    /// invalidations are replayed within 5 s; [`Cache::flush`](crate::Cache::flush) does it at once.
    pub fn outage(&self, on: bool) {
        self.shared.state.lock().outage = on;
    }

    /// Ends an outage, lets run what is held back, and injects nothing until
    /// [`resume`](Self::resume).
    pub fn heal(&self) {
        let mut state = self.shared.state.lock();
        (state.outage, state.healed) = (false, true);
        state.steps += 1;
        let all = state.steps;
        drop(state);
        self.has_run(all);
    }

    /// Goes on with the plan after [`heal`](Self::heal).
    pub fn resume(&self) {
        self.shared.state.lock().healed = false;
    }

    /// What was done so far, by all clones.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.shared.state.lock().injected
    }

    /// Refuses what is no chance.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let chances = self.plan.chances();
        let whole: f64 = chances.iter().sum();
        let are_chances = chances.iter().all(|chance| *chance >= 0.0);
        let problem = "chances must be between 0 and 1, and all together too";
        Error::require(
            are_chances && whole <= 1.0 + f64::EPSILON,
            "faults",
            problem,
        )
    }

    pub(crate) fn reach(&self, step: &'static str, has_run: bool) {
        if let Some(at) = self.plan.at {
            at(step, has_run);
        }
    }

    /// The number of the next step, and what becomes of it.
    pub(crate) fn next(&self) -> (u64, Fate) {
        let mut state = self.shared.state.lock();
        state.steps += 1;
        let drawn = self.plan.draw(&mut state.random);
        let fate = match drawn {
            _ if state.outage => Fate::Fail,
            _ if state.healed => Fate::Run,
            drawn => drawn,
        };
        state.injected.count(fate);
        (state.steps, fate)
    }

    /// The step of this number has run.
    pub(crate) fn has_run(&self, step: u64) {
        let later = |ran: &mut u64| std::mem::replace(ran, step.max(*ran)) < step;
        self.shared.ran.send_if_modified(later);
    }

    /// Waits until a later step than this one has run.
    pub(crate) async fn overtaken(&self, step: u64) {
        // It cannot fail: the sender is here.
        let _ = self
            .shared
            .ran
            .subscribe()
            .wait_for(|ran| *ran > step)
            .await;
    }
}

impl Plan {
    fn chances(&self) -> [f64; 5] {
        let (delay, _) = self.delay;
        [delay, self.fail, self.lose_answer, self.drop, self.reorder]
    }

    fn draw(&self, random: &mut Rng) -> Fate {
        let (mut roll, share) = (random.f64(), random.f64());
        let (_, most) = self.delay;
        let fates = [
            Fate::Delay(most.mul_f64(share)),
            Fate::Fail,
            Fate::LoseAnswer,
            Fate::Drop,
            Fate::HoldBack,
        ];
        for (chance, fate) in self.chances().into_iter().zip(fates) {
            if roll < chance {
                return fate;
            }
            roll -= chance;
        }
        Fate::Run
    }
}

impl Injected {
    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Run => {}
            Fate::Delay(_) => self.delayed += 1,
            Fate::Fail => self.failed += 1,
            Fate::LoseAnswer => self.lost_answers += 1,
            Fate::Drop => self.dropped += 1,
            Fate::HoldBack => self.reordered += 1,
        }
    }
}

#[cfg(test)]
mod tests;
