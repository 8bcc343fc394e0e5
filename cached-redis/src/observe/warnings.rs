//! Warnings that would come with every operation: one for each function and kind, and then a count.
//!
//! What is wrong with one call is wrong with the next: the store is away, or a key cannot be rendered. The
//! first warning opens a spell. What is like it is only counted, until the store has answered again and
//! [`SHORTEST`] is over: with operations that fail now and then, a spell would otherwise end with each that
//! does not. At its end the counts are told, and the next warning opens a new one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::util::lock::Mutex;

/// How long a spell lasts at least.
const SHORTEST: Duration = Duration::from_secs(30);

/// The warnings of one cache.
pub(crate) struct Warnings {
    built: Instant,
    /// When the spell began, in ms after `built`; 0: there is none.
    began: AtomicU64,
    /// How often there was which, by function.
    times: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl Warnings {
    pub(crate) fn new() -> Self {
        Self {
            built: Instant::now(),
            began: AtomicU64::new(0),
            times: Mutex::default(),
        }
    }

    /// Whether `warning` is to be told; else it is counted.
    pub(crate) fn is_reported(&self, function: &'static str, warning: &'static str) -> bool {
        let mut all = self.times.lock();
        if all.is_empty() {
            self.began.store(self.now(), Ordering::Relaxed);
        }
        let times = all.entry((function, warning)).or_default();
        *times += 1;
        *times == 1
    }

    /// The store has answered, maybe by a held clock that stands before the beginning: ends a spell that was long enough. All that a hit does is to read.
    pub(crate) fn answered(&self) {
        let began = self.began.load(Ordering::Relaxed);
        if began > 0 && u128::from(self.now().saturating_sub(began)) >= SHORTEST.as_millis() {
            self.end();
        }
    }

    /// Tells how often there was what had been told once. Who heard the warning hears this too, so it is
    /// never the first.
    pub(crate) fn end(&self) {
        let ended = {
            let mut all = self.times.lock();
            self.began.store(0, Ordering::Relaxed);
            std::mem::take(&mut *all)
        };
        for ((function, warning), times) in ended.into_iter().filter(|(_, times)| *times > 1) {
            let more = times - 1;
            warn!(
                function,
                warning, more, "the warning of this kind stood for more"
            );
        }
    }

    fn now(&self) -> u64 {
        self.built.elapsed().as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::time::advance;

    use super::*;

    /// A runtime with a held clock of its own.
    fn held<F: Future>(test: F) -> F::Output {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(test)
    }

    #[test]
    fn a_spell_outlives_a_clock_that_stands_before_its_beginning() {
        let warnings = held(async {
            let warnings = Warnings::new();
            advance(2 * SHORTEST).await;
            assert!(warnings.is_reported("f", "no key"));
            warnings
        });
        held(async {
            warnings.answered();
            assert!(!warnings.is_reported("f", "no key"), "it goes on");
            advance(4 * SHORTEST).await;
            warnings.answered();
            assert!(warnings.is_reported("f", "no key"), "it has ended");
        });
    }
}
