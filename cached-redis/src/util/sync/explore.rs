//! Runs a scenario under many schedules.
//!
//! ```text
//! SHUTTLE_ITERATIONS=100000 cargo test --release -p cached-redis --lib schedules
//! SHUTTLE_RANDOM_SEED=7     cargo test -p cached-redis --lib schedules
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

/// How many schedules of each kind, as a rule and under `TESTS=all`, unless `SHUTTLE_ITERATIONS` says
/// otherwise.
const ITERATIONS: [usize; 2] = [100, 500];

/// How many preemptions at chosen moments the priority scheduler (PCT) makes: few are enough for most
/// races, and it finds those where the random one would have to be lucky for long.
const PREEMPTIONS: usize = 3;

/// An outcome that some schedule must reach: without it a scenario would show nothing.
pub(crate) struct Sometimes {
    what: &'static str,
    seen: AtomicBool,
}

impl Sometimes {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self {
            what,
            seen: AtomicBool::new(false),
        }
    }

    pub(crate) fn seen(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }
}

/// Runs `scenario` under random schedules and under such as are made of few preemptions. A panic, a
/// deadlock included, ends it and tells the seed.
pub(crate) fn explore(outcomes: &[&Sometimes], scenario: fn()) {
    let (seed, iterations) = (seed(), iterations());
    let random = RandomScheduler::new_from_seed(seed, iterations);
    run(random, "random", scenario);
    let pct = PctScheduler::new_from_seed(seed, PREEMPTIONS, iterations);
    run(pct, "PCT", scenario);
    check(outcomes);
}

/// Calls `run` with as many seeds, one after the other.
pub(crate) fn each_seed(outcomes: &[&Sometimes], run: impl Fn(u64)) {
    for (number, seed) in (1..=iterations()).zip(seed()..) {
        let _progress = Progress {
            kind: "seeded",
            schedules: Arc::new(AtomicUsize::new(number)),
            seed,
        };
        run(seed);
    }
    check(outcomes);
}

fn check(outcomes: &[&Sometimes]) {
    for Sometimes { what, seen } in outcomes {
        let seen = seen.load(Ordering::Relaxed);
        assert!(seen || iterations() < ITERATIONS[0], "never seen: {what}");
    }
}

/// The seed of all schedules: the same for each run, so that a failure comes back.
fn seed() -> u64 {
    setting("SHUTTLE_RANDOM_SEED").unwrap_or(0)
}

fn iterations() -> usize {
    let [quick, all] = ITERATIONS;
    let tier = std::env::var_os("TESTS").map_or(quick, |_| all);
    setting("SHUTTLE_ITERATIONS").unwrap_or(tier)
}

fn setting<N: std::str::FromStr>(name: &str) -> Option<N> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(scheduler: impl Scheduler + 'static, kind: &'static str, scenario: fn()) {
    let progress = Progress {
        kind,
        schedules: Arc::default(),
        seed: seed(),
    };
    let schedules = Arc::clone(&progress.schedules);
    let mut config = Config::new();
    // It warns that atomics are sequentially consistent here.
    config.silence_warnings = true;
    config.stack_size = 0x20000;
    // Far more than a scenario needs: tasks that go round and round do not hang the tests.
    config.max_steps = MaxSteps::FailAfter(20_000);
    Runner::new(scheduler, config).run(move || {
        schedules.fetch_add(1, Ordering::Relaxed);
        scenario();
    });
}

/// Tells how to see a failure again.
struct Progress {
    kind: &'static str,
    schedules: Arc<AtomicUsize>,
    seed: u64,
}

impl Drop for Progress {
    #[expect(clippy::print_stderr)]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (kind, schedules) = (self.kind, self.schedules.load(Ordering::Relaxed));
            let seed = self.seed;
            eprintln!("failed in {kind} schedule {schedules} with SHUTTLE_RANDOM_SEED={seed}");
        }
    }
}
