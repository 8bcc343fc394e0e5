//! A hundred processes that start at the same moment on a cluster: each has one connection to each server, and what
//! none of them finds is loaded by one.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use cached_redis::{Cache, redis_cached};

use crate::support::cluster::Cluster;
use crate::support::{RedisServer, World, again, eventually, on_a_cluster};

on_a_cluster!(a_hundred_that_start_at_once_have_one_connection_to_each_server_and_load_once);

const PROCESSES: usize = 100;

/// Set in the environment of each.
const ADDRESS: &str = "MANY_PROCESSES_URL";

/// Longer than a busy machine needs to start all of them.
const PATIENCE: Duration = Duration::from_secs(300);

#[redis_cached(ttl = 600, key = "many-processes:<id>")]
async fn read(id: u64) -> u64 {
    println!("loads {id}");
    id
}

/// What each of them does; without an address, nothing.
#[tokio::test]
#[ignore = "started by the test of this module"]
async fn one_of_many() {
    let Ok(url) = std::env::var(ADDRESS) else {
        return;
    };
    let builder = Cache::builder().url(url).namespace("it");
    let builder = builder.connect_timeout(PATIENCE).deadline(PATIENCE);
    let builder = builder.lease(PATIENCE).wait_budget(PATIENCE);
    let cache = builder.require_connection(true).build().await.unwrap();
    for id in 0..20 {
        assert_eq!(cache.scope(read(id)).await, id);
    }
    assert_eq!(cache.stats().store().reconnects, 0);
    println!("is ready");
    // Until the test is over.
    let over = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    over.await.unwrap().unwrap();
}

fn start(url: &str) -> Child {
    again("many_processes::one_of_many")
        .env(ADDRESS, url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again")
}

/// How many loads it has run when it is ready.
fn loads(process: &mut Child) -> usize {
    let output = process.stdout.as_mut().expect("it was asked for");
    let lines = BufReader::new(output).lines().map(Result::unwrap);
    let mut is_ready = false;
    let lines = lines.take_while(|line| {
        is_ready = line.contains("is ready");
        !is_ready
    });
    let loads = lines.filter(|line| line.contains("loads ")).count();
    assert!(is_ready, "a process ended before it was ready");
    loads
}

/// But for that of whoever asks.
fn connections(server: &RedisServer) -> usize {
    let list: String = server.run(&["CLIENT", "LIST", "TYPE", "normal"]);
    list.lines().count() - 1
}

async fn a_hundred_that_start_at_once_have_one_connection_to_each_server_and_load_once(
    mut world: World,
) {
    let url = world.url().to_owned();
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| start(&url)).collect();
    let loads: usize = processes.iter_mut().map(loads).sum();
    assert_eq!(loads, 20);
    let cluster: &Cluster = world.cluster();
    // Those by which they have asked who has which slots are closed.
    eventually("one connection to each server", async || {
        let mut connections = cluster.nodes().iter().map(connections);
        connections.all(|connections| connections == PROCESSES)
    })
    .await;
    for mut process in processes {
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success());
    }
}
