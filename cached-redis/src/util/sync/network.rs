//! Whole flows, step by step: every operation on the store takes its time to get there and back, and
//! may get lost either way, as a seed decides. Time is tokio's and held, so it passes only while
//! nobody can go on, and each seed makes the same run.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::explore::{self, Sometimes};
use crate::error::StoreError;

/// What a way to the store is like.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    pub(crate) longest_ms: u64,
    /// Percent of the ways that end nowhere.
    pub(crate) losses: u8,
}

thread_local! {
    static NETWORK: Cell<Option<Network>> = const { Cell::new(None) };
}

/// Runs `scenario` once for each seed.
pub(crate) fn explore<F>(network: Network, outcomes: &[&Sometimes], scenario: fn() -> F)
where
    F: Future<Output = ()>,
{
    let _network = Set::new(network);
    explore::each_seed(outcomes, |seed| {
        fastrand::seed(seed);
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let hour = Duration::from_secs(60 * 60);
        let ended = runtime.block_on(async { timeout(hour, scenario()).await });
        assert!(ended.is_ok(), "somebody hangs");
    });
}

/// An operation on the store, on its ways there and back.
pub(crate) async fn carried<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    way().await?;
    let answer = operation.await?;
    way().await?;
    Ok(answer)
}

/// A moment in which others go on, unless no exploration runs.
pub(crate) async fn moment() {
    let Some(network) = NETWORK.get() else { return };
    for _ in 0..fastrand::u8(..4) {
        yield_now().await;
    }
    if fastrand::u8(..4) == 0 {
        sleep(Duration::from_millis(fastrand::u64(..=network.longest_ms))).await;
    }
}

async fn way() -> Result<(), StoreError> {
    moment().await;
    let losses = NETWORK.get().map_or(0, |network| network.losses);
    match fastrand::u8(..100) < losses {
        true => Err(StoreError::Lost),
        false => Ok(()),
    }
}

struct Set;

impl Set {
    fn new(network: Network) -> Self {
        NETWORK.set(Some(network));
        Self
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        NETWORK.set(None);
    }
}
