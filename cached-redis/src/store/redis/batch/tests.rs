use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Batches, Crowd, FEW, MOST, Turn};
use crate::store::Store as _;
use crate::store::redis::RedisStore;
use crate::store::redis::server::Server;

/// Keys that hold their own names.
async fn planted(store: &RedisStore, count: usize) -> Vec<String> {
    let keys: Vec<_> = (0..count).map(|n| format!("app:{n}")).collect();
    for key in &keys {
        let name = Bytes::from(key.clone());
        let planted = store.acquire(key, name, Duration::from_secs(60)).await;
        assert_eq!(planted, Ok(None));
    }
    keys
}

/// All at the same time, and each must get its own key's answer.
async fn read_all(store: &Arc<RedisStore>, keys: impl IntoIterator<Item = String>) {
    let mut reads = JoinSet::new();
    for key in keys {
        let store = Arc::clone(store);
        reads.spawn(async move { (store.get(&key).await, key) });
    }
    for (answer, key) in reads.join_all().await {
        let expected = (!key.contains("missing")).then(|| Bytes::from(key));
        assert_eq!(answer, Ok(expected));
    }
}

#[tokio::test]
async fn each_of_many_reads_gets_the_answer_to_its_own_key() {
    let server = Server::start();
    let store = Arc::new(server.store().await);
    let keys = planted(&store, 200).await;
    for _ in 0..5 {
        let reads = (0..600).map(|n| match n % 3 {
            0 => format!("app:missing {n}"),
            _ => keys[n % keys.len()].clone(),
        });
        read_all(&store, reads).await;
    }
    let commands = server.command(&[b"INFO", b"commandstats"]);
    assert!(commands.contains("cmdstat_mget"), "{commands}");
}

#[tokio::test]
async fn readers_of_a_batch_do_not_depend_on_the_one_who_opened_it() {
    let server = Server::start();
    let store = server.store().await;
    let keys = planted(&store, 3).await;
    let mut context = Context::from_waker(Waker::noop());
    // The first is sent alone, the second opens a batch, the third joins it.
    let mut alone = pin!(store.get(&keys[0]));
    assert!(alone.as_mut().poll(&mut context).is_pending());
    let mut opener = Box::pin(store.get(&keys[1]));
    assert!(opener.as_mut().poll(&mut context).is_pending());
    let mut joined = pin!(store.get(&keys[2]));
    assert!(joined.as_mut().poll(&mut context).is_pending());
    assert_eq!(joined.await, Ok(Some(Bytes::from("app:2"))));
    drop(opener);
    assert_eq!(alone.await, Ok(Some(Bytes::from("app:0"))));
}

#[tokio::test]
async fn without_the_right_to_read_together_each_reads_alone() {
    let server = Server::start();
    server.command(&[b"ACL", b"SETUSER", b"default", b"-mget"]);
    let store = Arc::new(server.store().await);
    let keys = planted(&store, 50).await;
    for _ in 0..2 {
        read_all(&store, keys.iter().cloned()).await;
    }
}

/// How many of those who come join a batch before it is sent, if so many were about lately.
fn joined_of(crowd: usize) -> usize {
    let batches = Batches::default();
    batches.state.lock().crowd.seen(crowd);
    let turns = (1..).map(|n| batches.turn(&format!("app:{n}")));
    1 + turns
        .take_while(|turn| !matches!(turn, Turn::Full(..)))
        .count()
}

#[test]
fn a_batch_waits_for_somewhat_less_than_half_of_those_about() {
    assert_eq!([2, 8, 16].map(joined_of), [FEW; 3]);
    assert_eq!([24, 64].map(joined_of), [12 - FEW, 32 - FEW]);
    assert_eq!(joined_of(1000), MOST);
}

#[test]
fn a_crowd_is_forgotten_bit_by_bit() {
    let mut crowd = Crowd::default();
    assert!(crowd.is_one());
    crowd.seen(64);
    assert_eq!(crowd.size(), 64);
    crowd.seen(1);
    assert_eq!(crowd.size(), 60);
    (0..60).for_each(|_| crowd.seen(1));
    assert!(crowd.is_one());
}
