//! What each fault does to a step, and to whoever asked for it.

use tokio::time::Instant;

use super::*;
use crate::store::MemoryLimits;
use crate::store::memory::MemoryStore;
use crate::testing::HeldClock;
use crate::util::tasks::Tasks;

const DEADLINE: Duration = Duration::from_millis(100);
const LIFE: Duration = Duration::from_secs(60);

fn store(faults: Faults) -> FaultyStore {
    let store = MemoryStore::private(MemoryLimits::default()).unwrap();
    FaultyStore::new(AnyStore::Memory(store), faults, DEADLINE, Tasks::here())
}

/// Puts something under `key`, through the faults.
async fn put(store: &FaultyStore, key: &str) -> Result<bool, StoreError> {
    store.seize(key, Bytes::from_static(b"there"), LIFE).await
}

/// Whether something stands under `key`, past the faults.
async fn stands(store: &FaultyStore, key: &str) -> bool {
    store.store().get(key).await.unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_never_runs() {
    let store = store(Faults::seeded(7).fail(1.0));
    assert_eq!(put(&store, "k").await, Err(StoreError::Unavailable));
    HeldClock::new().advance(LIFE / 2).await;
    assert!(!stands(&store, "k").await);
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_answer_is_lost_has_run() {
    let store = store(Faults::seeded(7).lose_answer(1.0));
    assert_eq!(put(&store, "k").await, Err(StoreError::Lost));
    assert!(stands(&store, "k").await);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_dropped_never_runs_and_takes_the_deadline() {
    let store = store(Faults::seeded(7).drop(1.0));
    let begun = Instant::now();
    assert_eq!(put(&store, "k").await, Err(StoreError::Timeout));
    assert_eq!(begun.elapsed(), DEADLINE);
    HeldClock::new().advance(LIFE / 2).await;
    assert!(!stands(&store, "k").await);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_delayed_runs_late_and_past_the_deadline_as_well() {
    let mut late = 0;
    for seed in 0..20 {
        let store = store(Faults::seeded(seed).delay(1.0, 2 * DEADLINE));
        let answer = put(&store, "k").await;
        assert_eq!(answer.is_ok(), stands(&store, "k").await, "seed {seed}");
        late += usize::from(answer == Err(StoreError::Timeout));
        HeldClock::new().advance(DEADLINE).await;
        assert!(stands(&store, "k").await, "seed {seed}");
    }
    assert!((1..20).contains(&late), "{late} of 20 were late");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_held_back_runs_after_a_later_one() {
    let faults = Faults::seeded(7).reorder(1.0);
    let store = Arc::new(store(faults.clone()));
    let first = tokio::spawn({
        let store = Arc::clone(&store);
        async move { put(&store, "first").await }
    });
    HeldClock::new().settle().await;
    assert!(!stands(&store, "first").await && !first.is_finished());
    faults.heal();
    assert_eq!(put(&store, "second").await, Ok(true));
    assert_eq!(first.await.unwrap(), Ok(true));
    assert!(stands(&store, "first").await);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_held_back_runs_though_its_caller_has_gone() {
    let store = store(Faults::seeded(7).reorder(1.0));
    assert_eq!(put(&store, "k").await, Err(StoreError::Timeout));
    assert!(!stands(&store, "k").await);
    HeldClock::new().advance(HELD_BACK * DEADLINE).await;
    assert!(stands(&store, "k").await);
}

#[tokio::test(start_paused = true)]
async fn of_a_step_on_many_keys_some_meet_a_fault_together() {
    let faults = Faults::seeded(7).lose_answer(0.5);
    let store = store(faults.clone());
    let keys: Vec<_> = (0..100).map(|key| key.to_string()).collect();
    let answers = store
        .seize_all(&keys, Bytes::from_static(b"there"), LIFE)
        .await;
    for (pair, keys) in answers.chunks(TOGETHER).zip(keys.chunks(TOGETHER)) {
        assert!(
            pair == [Ok(true), Ok(true)] || pair == [Err(StoreError::Lost), Err(StoreError::Lost)]
        );
        for key in keys {
            assert!(stands(&store, key).await);
        }
    }
    let lost = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(lost, TOGETHER * faults.injected().lost_answers as usize);
    assert!((20..80).contains(&lost), "{lost}");
}
