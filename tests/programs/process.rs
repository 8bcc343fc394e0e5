//! The caches of a program: what plays a process.

use std::sync::Arc;
use std::time::Duration;

use cached_redis::Cache;
use cached_redis::testing::{Faults, Recorded, Recorder};

use crate::oracle::Binds;
use crate::program::{Member, Program, Weather};
use crate::truth::{Place, Truth};

/// One cache.
pub(crate) struct Process {
    pub(crate) member: Member,
    pub(crate) number: usize,
    pub(crate) cache: Cache,
    pub(crate) truth: Arc<Truth>,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
}

impl Process {
    pub(crate) async fn new(
        member: Member,
        program: &Program,
        url: &str,
        truth: &Arc<Truth>,
    ) -> Self {
        let faults = Faults::seeded(program.seed.wrapping_add(member as u64));
        let faults = match program.weather {
            Weather::Fair => faults,
            Weather::Late => faults.delay(0.3, Duration::from_millis(10)).reorder(0.2),
            Weather::Foul => faults
                .delay(0.1, Duration::from_millis(20))
                .fail(0.08)
                .lose_answer(0.08)
                .drop(0.03)
                .reorder(0.1),
        };
        let recorder = Recorder::new();
        let number = usize::from(member == Member::Other);
        let builder = Cache::builder()
            .url(url)
            .namespace(&truth.world)
            .guarded(true);
        let built = builder
            .process(number.to_string())
            .hold(Duration::from_millis(100))
            .lease(Duration::from_millis(100))
            .wait_budget(Duration::from_millis(400))
            .throttle(Duration::from_millis(20))
            .deadline(Duration::from_millis(50))
            .flush_timeout(Duration::from_millis(300))
            .update_attempts(8)
            .faults(faults.clone())
            .recorder(recorder.clone())
            .build();
        Self {
            member,
            number,
            cache: built.await.expect("the settings are right"),
            truth: Arc::clone(truth),
            faults,
            recorder,
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place::new(&self.truth, &self.cache)
    }

    /// How many invalidations the store has not confirmed at once.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.recorder.count(Recorded::Deferred) + self.recorder.count(Recorded::Lost)
    }

    /// What was deferred before binds everybody once it is replayed; whether all is.
    pub(crate) async fn flush(&self) -> bool {
        let before = self.truth.returned.lock().unwrap().len();
        let flushed = self.cache.flush().await.is_ok();
        if flushed {
            for returned in &mut self.truth.returned.lock().unwrap()[..before] {
                if matches!(returned.binds, Binds::Process(_, member) if member == self.member) {
                    returned.binds = Binds::All;
                }
            }
        }
        flushed
    }
}
