//! Waits until an invalidation has settled: no process serves what it has made outdated, from memory either.
//!
//! What others keep was read before it was confirmed, and is served unannounced for no longer than was agreed
//! on in the namespace (see [`local`](crate::protocol::local)). That is read **after** the confirmation:
//! whoever agrees on something later keeps only what is read later still.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::engine::handle::Inner;
use crate::policy::defaults;
use crate::protocol::local::{AllRules, Settled, Settling};
use crate::util::backoff::Backoff;
use crate::util::moment::{Moment, ns};

/// Of what the store has confirmed by then.
pub(crate) async fn settle(inner: Arc<Inner>, confirmed: Moment) {
    if let Some(staleness) = agreed(&inner, confirmed).await {
        wait(confirmed, staleness).await;
    }
}

/// `None`: there is nothing to wait for.
async fn agreed(inner: &Inner, confirmed: Moment) -> Option<Duration> {
    let mut backoff = Backoff::long();
    loop {
        match inner.store.staleness().await {
            Ok(staleness) => return staleness,
            // Nobody may ask for more than that.
            Err(_) if is_over(confirmed, defaults::LONGEST_STALENESS) => return None,
            Err(_) => sleep(backoff.next()).await,
        }
    }
}

async fn wait(confirmed: Moment, staleness: Duration) {
    while !is_over(confirmed, staleness) {
        let left = staleness.saturating_sub(confirmed.elapsed());
        sleep(left + Duration::from_millis(1)).await;
    }
}

fn is_over(confirmed: Moment, staleness: Duration) -> bool {
    let settling = Settling::Confirmed(confirmed);
    settling.told(&AllRules, Moment::now(), ns(staleness)) == Settled::Yes
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::engine::handle::Cache;

    const STALENESS: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn it_has_settled_when_the_staleness_is_over_and_no_sooner() {
        let confirmed = Moment::now();
        wait(confirmed, STALENESS).await;
        let waited = confirmed.elapsed();
        assert!(waited > STALENESS && waited < STALENESS + Duration::from_millis(5));
        wait(confirmed, STALENESS).await;
        assert_eq!(
            confirmed.elapsed(),
            waited,
            "what is over is not waited for"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_the_longest_staleness_there_can_be_is_waited_for() {
        let builder = Cache::builder().url("redis://127.0.0.1:1");
        let cache = builder.namespace("app").build().await.unwrap();
        let begun = Moment::now();
        settle(Arc::clone(&cache.inner), begun).await;
        assert!(begun.elapsed() > defaults::LONGEST_STALENESS);
    }

    #[tokio::test(start_paused = true)]
    async fn in_memory_there_is_nothing_to_wait_for() {
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        let begun = Moment::now();
        let request = cache.invalidation().key("a").settled();
        request.send().await.unwrap();
        assert!(begun.elapsed().is_zero());
    }
}
