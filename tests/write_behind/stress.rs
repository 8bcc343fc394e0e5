//! Many callers, readers, removals and workers at once: no read is older than what was accepted before it began.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cached_redis::Cache;
use tokio::task::JoinSet;

use crate::shop::{Db, builder, flush, save, stock, worker};
use crate::support::{World, eventually, on_a_cluster, on_both_stores, tier};

on_both_stores!(no_read_is_older_than_what_was_accepted);
on_a_cluster!(no_read_on_a_cluster_is_older_than_what_was_accepted);

const KEYS: u64 = 4;

#[derive(Default)]
struct Floors {
    accepted: [AtomicU64; KEYS as usize],
    done: AtomicBool,
    reads: AtomicU64,
}

async fn write(cache: Cache, db: Db, floors: Arc<Floors>, id: u64, writes: u64) {
    for pieces in 1..=writes {
        while cache.scope(save(&db, id, pieces.into())).await.is_err() {
            tokio::task::yield_now().await;
        }
        floors.accepted[id as usize].store(pieces, Ordering::SeqCst);
        if pieces % 7 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(..4))).await;
        }
    }
}

async fn read(cache: Cache, db: Db, floors: Arc<Floors>) {
    while !floors.done.load(Ordering::Relaxed) {
        let id = fastrand::u64(..KEYS);
        let floor = floors.accepted[id as usize].load(Ordering::SeqCst);
        let read = cache.scope(stock(&db, id)).await.pieces;
        assert!(
            read >= floor,
            "read {read} of {id} after {floor} was accepted"
        );
        floors.reads.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

async fn remove(cache: Cache, floors: Arc<Floors>) {
    while !floors.done.load(Ordering::Relaxed) {
        let key = format!("{{stock}}:{}", fastrand::u64(..KEYS));
        match fastrand::u8(..8) {
            0 => drop(cache.invalidation().matching("{stock}:*").send().await),
            1 => drop(
                cache
                    .invalidation()
                    .keys([&*key, "other", "third"])
                    .send()
                    .await,
            ),
            _ => drop(cache.invalidate(&key).await),
        }
        tokio::time::sleep(std::time::Duration::from_micros(fastrand::u64(..500))).await;
    }
}

async fn no_read_is_older_than_what_was_accepted(world: World) {
    let (db, floors, writes) = (Db::new(), Arc::new(Floors::default()), tier(300, 5000));
    let caches = [
        builder(&world).build().await.unwrap(),
        builder(&world).build().await.unwrap(),
    ];
    let mut workers = Vec::new();
    for cache in &caches {
        workers.push(worker(cache, &db).start().await.unwrap());
    }
    let (mut writers, mut others) = (JoinSet::new(), JoinSet::new());
    for id in 0..KEYS {
        writers.spawn(write(
            caches[id as usize % 2].clone(),
            db.clone(),
            floors.clone(),
            id,
            writes,
        ));
    }
    for at in 0..6 {
        others.spawn(read(caches[at % 2].clone(), db.clone(), floors.clone()));
    }
    others.spawn(remove(caches[0].clone(), floors.clone()));
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    flush(&caches[0], "stock").await;
    let reads = || floors.reads.load(Ordering::Relaxed);
    eventually("as many reads", async || reads() > writes).await;
    floors.done.store(true, Ordering::Relaxed);
    while let Some(ended) = others.join_next().await {
        ended.unwrap();
    }
    for id in 0..KEYS {
        assert_eq!(db.pieces(id), (1..=writes).collect::<Vec<_>>(), "of {id}");
    }
    for worker in workers {
        worker.stop().await;
    }
}

async fn no_read_on_a_cluster_is_older_than_what_was_accepted(world: World) {
    no_read_is_older_than_what_was_accepted(world).await;
}
