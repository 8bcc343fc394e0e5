//! A hit of an annotated function through a Redis Cluster of three servers, beside `GET` by the client's own cluster
//! connection and decoding by hand; see [`rounds`].

use cached_redis::{Cache, redis_cached};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use serde::{Deserialize, Serialize};

#[path = "../../rounds/mod.rs"]
mod rounds;

use rounds::support::{Cluster, eventually};
use rounds::{Cell, compare, decoded, encoded, measure};

/// Of all servers together.
const KEYS: usize = 64;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: usize,
    customer: String,
    article: u64,
    title: String,
    cents: u32,
}

fn order(id: usize) -> Order {
    Order {
        id,
        customer: "Ada Lovelace, 12 St James's Square".to_owned(),
        article: 1_000_000_000_000 + id as u64,
        title: "An article of the list, bound in cloth".to_owned(),
        cents: 1999,
    }
}

#[redis_cached(ttl = 3600, key = "order:<id>")]
async fn annotated(id: usize) -> Order {
    order(id)
}

async fn by_hand(mut connection: ClusterConnection, id: usize) -> Order {
    let answer = redis::cmd("GET")
        .arg(hand_key(id))
        .query_async(&mut connection)
        .await;
    let bytes: Vec<u8> = answer.expect("the cluster answers");
    decoded(&bytes)
}

fn hand_key(id: usize) -> String {
    format!("bench:hand:{id}")
}

fn main() {
    measure(&["100 B"], &[1, 16, 64, 256], |_, tasks| cell(tasks));
}

async fn cell(tasks: usize) -> Cell {
    let cluster = Cluster::start(3);
    let builder = Cache::builder().url(cluster.url()).namespace("bench");
    let cache = builder.require_connection(true).build().await;
    let cache = cache.expect("the cluster is up");
    cache.clone().install().expect("nothing is installed yet");
    let addresses = cluster.nodes().iter().map(|node| node.url());
    let client = ClusterClient::new(addresses).expect("the addresses are right");
    let connection = client.get_async_connection().await;
    let connection = connection.expect("the cluster is up");
    for id in 0..KEYS {
        let key = hand_key(id);
        cluster.nodes()[cluster.owner(&key)].plant(&key, &encoded(&order(id)));
        annotated(id).await;
    }
    let filled = async || cache.stats().total().fills == KEYS as u64;
    eventually("the fills", filled).await;
    let ours = move |turn: usize| async move {
        let id = turn % KEYS;
        assert_eq!(annotated(id).await.id, id);
    };
    let by_hand = move |turn: usize| {
        let (connection, id) = (connection.clone(), turn % KEYS);
        async move { assert_eq!(by_hand(connection, id).await.id, id) }
    };
    let cell = compare(tasks, ours, by_hand).await;
    assert_eq!(cache.stats().total().loads, KEYS as u64, "all were hits");
    cell
}
