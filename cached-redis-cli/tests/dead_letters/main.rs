//! Writes that wait in queues: what the command line shows of them, and what it spares. A program of its own, since
//! the catalogue of one with queues has more in it.

#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../cli/shop.rs"]
mod shop;
#[allow(dead_code, unused_imports, reason = "shared with the other tests")]
#[path = "../cli/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cached_redis::error::Busy;
use cached_redis::{Cache, write_behind};

use crate::shop::{Shop, masked};
use crate::support::{RedisServer, eventually};

static AWAY: AtomicBool = AtomicBool::new(true);

/// Of a cache that is named, so that those of other tests need not know of queues.
#[write_behind(queue = "stock", key = "{stock}:<id>", value = pieces, cache = shop)]
async fn save(shop: &Cache, id: u64, pieces: u64) -> Result<(), Busy> {
    let _ = (shop, id, pieces);
    match AWAY.load(Ordering::Relaxed) {
        true => Err(Busy::Full),
        false => Ok(()),
    }
}

async fn open() -> (RedisServer, Shop) {
    let server = RedisServer::start();
    let shop = Shop::of(&server.url(), |builder| builder.write_behind(true)).await;
    for (id, pieces) in [(1, 5), (1, 6), (2, 7)] {
        save(&shop.cache, id, pieces).await.unwrap();
    }
    (server, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_shown_and_spared() {
    let (_server, shop) = open().await;
    let told = "key {stock}:1\nkind pending: it is still to be written to its source\n\
                size 49 B\nends when it was written to its source\nage T\nvalue 6";
    assert_eq!(masked(&shop.prints("inspect {stock}:1")), told);
    for words in [
        "key {stock}:1",
        "pattern {stock}:*",
        "function get_user",
        "namespace --yes",
    ] {
        let printed = shop.prints(&format!("purge {words}"));
        assert!(!printed.contains("{stock}:1\n"), "{printed}");
        let told = shop.json("inspect {stock}:1");
        assert_eq!(told["standing"]["kind"], "pending", "{words}");
        assert_eq!(told["value"], 6);
    }
    let kinds = shop.json("ls {stock}:*");
    assert!(kinds.to_string().contains("pending"), "{kinds}");
    let doctor = shop.run("doctor --uses write-behind");
    assert!(!doctor.out.contains("without a TTL"), "{}", doctor.out);
    let listed = shop.prints("dead-letters list stock");
    assert_eq!(listed, "3 writes wait, 0 dead letters\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_put_back_and_dropped() {
    let (_server, shop) = open().await;
    let worker = shop.cache.write_behind_worker().attempts(1);
    let worker = worker.pauses(Duration::from_millis(1), Duration::from_millis(1));
    let worker = worker.provide(shop.cache.clone()).start().await.unwrap();
    let queue = shop.cache.write_behind_queue("stock").unwrap();
    let are_dead = async || queue.depth().await.unwrap().dead == 3;
    eventually("the dead letters", are_dead).await;
    let listed = shop.run("dead-letters list stock");
    assert_eq!(listed.code, Some(1));
    assert!(
        listed.out.starts_with("0 writes wait, 3 dead letters\n"),
        "{}",
        listed.out
    );
    let letters = shop.json("dead-letters list stock");
    let mut reasons: Vec<_> = letters["letters"].as_array().unwrap().iter().collect();
    reasons.sort_by_key(|letter| letter["key"].to_string());
    let reasons: Vec<_> = reasons
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["failed", "behind", "failed"]);
    let refused = shop.run("dead-letters drop stock {stock}:1");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--yes drops it"), "{}", refused.err);
    shop.prints("dead-letters drop stock {stock}:1 --yes");
    AWAY.store(false, Ordering::Relaxed);
    let told = shop.prints("dead-letters retry stock {stock}:1");
    assert_eq!(
        told,
        "put back to the end of the queue: 1 dead letter of {stock}:1\n"
    );
    shop.prints("dead-letters retry stock {stock}:2");
    queue.flush().await.unwrap();
    assert_eq!(
        shop.prints("dead-letters list stock"),
        "0 writes wait, 0 dead letters\n"
    );
    assert_eq!(shop.run("dead-letters retry stock {stock}:1").code, Some(1));
    let odd = shop.run("dead-letters list a:b");
    assert_eq!(
        (odd.code, odd.err.contains("write_behind_queue")),
        (Some(2), true)
    );
    worker.stop().await;
}
