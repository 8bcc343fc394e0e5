//! Writers that bear several attributes: whichever is above, all keys are settled when the function has
//! returned. (A cached function bears no other: the attributes refuse it.)

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use cached_redis::{CachedExt as _, Status, invalidates, redis_cached, write_through};

use crate::support::{World, on_both_stores};

on_both_stores!(
    a_write_through_and_an_invalidation_settle_their_keys_in_either_order,
    one_write_goes_through_to_two_keys,
);

#[derive(Default)]
struct Rows(AtomicU64);

impl Rows {
    fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

#[redis_cached(ttl = 60, key = "row", skip(rows))]
async fn row(rows: &Rows) -> u64 {
    rows.now()
}

#[redis_cached(ttl = 60, key = "row:copy", skip(rows))]
async fn copy(rows: &Rows) -> u64 {
    rows.now()
}

#[redis_cached(ttl = 60, key = "list", skip(rows))]
async fn list(rows: &Rows) -> Vec<u64> {
    vec![rows.now()]
}

#[write_through(key = "row", ttl = 60, tags = [])]
#[invalidates("list")]
async fn through_above(rows: &Rows) -> u64 {
    rows.0.fetch_add(1, SeqCst) + 1
}

#[invalidates("list")]
#[write_through(key = "row", ttl = 60, tags = [])]
async fn through_below(rows: &Rows) -> u64 {
    rows.0.fetch_add(1, SeqCst) + 1
}

#[write_through(key = "row", ttl = 60, tags = [])]
#[write_through(key = "row:copy", ttl = 60, tags = [])]
async fn through_to_both(rows: &Rows) -> u64 {
    rows.0.fetch_add(1, SeqCst) + 1
}

async fn a_write_through_and_an_invalidation_settle_their_keys_in_either_order(world: World) {
    let rows = &Rows::default();
    let steps = async {
        assert_eq!((row(rows).await, list(rows).await), (0, vec![0]));
        assert_eq!(through_above(rows).await, 1);
        assert_eq!(row(rows).with_info().await.1.status(), Status::Hit);
        assert_eq!((row(rows).await, list(rows).await), (1, vec![1]));
        assert_eq!(through_below(rows).await, 2);
        assert_eq!(row(rows).with_info().await.1.status(), Status::Hit);
        assert_eq!((row(rows).await, list(rows).await), (2, vec![2]));
    };
    world.cache().await.scope(steps).await;
}

async fn one_write_goes_through_to_two_keys(world: World) {
    let rows = &Rows::default();
    let steps = async {
        assert_eq!((row(rows).await, copy(rows).await), (0, 0));
        assert_eq!(through_to_both(rows).await, 1);
        let (row, copy) = (row(rows).with_info().await, copy(rows).with_info().await);
        assert_eq!((row.0, row.1.status()), (1, Status::Hit));
        assert_eq!((copy.0, copy.1.status()), (1, Status::Hit));
    };
    world.cache().await.scope(steps).await;
}
