//! A hit of an annotated function beside the same thing written by hand: `GET` on the redis crate's
//! default `MultiplexedConnection`, a formatted key, the same codec.
//!
//! Both sides take turns in short rounds within one run, so that whatever else the machine does
//! meets both. What counts is the ratio of a round, ours ÷ by hand, in operations per second; the
//! first round of a cell is not counted. Each cell has a process and a server of its own: how the
//! allocator was left by one would show in the next. `BENCH_QUICK=1` only shows that it runs.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cached_redis::{Cache, redis_cached};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../tests/support/mod.rs"]
mod support;

use support::{RedisServer, eventually};

const TASKS: [usize; 4] = [1, 16, 64, 256];

/// How many parts a value has, and about how many bytes that is.
const SIZES: [(usize, &str); 3] = [(1, "100 B"), (32, "2 KB"), (256, "16 KB")];

/// Before the place of the size and the number of tasks of a cell.
const CELL: &str = "--cell";

/// Keys per size; tasks go through them at their own pace.
const KEYS: usize = 64;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: usize,
    customer: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Line {
    article: u64,
    title: String,
    cents: u32,
    gift: Option<bool>,
}

fn order(lines: usize, id: usize) -> Order {
    let line = |number: usize| Line {
        article: 1_000_000_000_000 + number as u64,
        title: format!("The {number:04}th article of the list, bound in cloth"),
        cents: 1999,
        gift: Some(false),
    };
    Order {
        id,
        customer: "Ada Lovelace, 12 St James's Square".to_owned(),
        lines: (0..lines).map(line).collect(),
    }
}

#[redis_cached(ttl = 3600, key = "order:<lines>:<id>")]
async fn annotated(lines: usize, id: usize) -> Order {
    order(lines, id)
}

async fn by_hand(mut connection: MultiplexedConnection, lines: usize, id: usize) -> Order {
    let key = hand_key(lines, id);
    let answer = redis::cmd("GET")
        .arg(key)
        .query_async(&mut connection)
        .await;
    let bytes: Vec<u8> = answer.expect("the server answers");
    let decoded = bincode::serde::decode_from_slice(&bytes, bincode::config::standard());
    decoded.expect("it was encoded by this program").0
}

fn hand_key(lines: usize, id: usize) -> String {
    format!("bench:hand:{lines}:{id}")
}

/// How long it takes.
struct Plan {
    rounds: usize,
    round: Duration,
}

impl Plan {
    fn from_env() -> Self {
        // `cargo bench` says so; `cargo test --benches` only wants to see it run.
        let measures = std::env::args().any(|argument| argument == "--bench");
        let wanted = std::env::var_os("BENCH_QUICK").is_some_and(|quick| quick != "0");
        let quick = wanted || !measures;
        let (rounds, ms) = if quick { (3, 20) } else { (32, 200) };
        Self {
            rounds,
            round: Duration::from_millis(ms),
        }
    }
}

/// Runs itself once for each cell.
fn main() {
    if let Some((size, tasks)) = which_cell() {
        return cell(SIZES[size], tasks);
    }
    let plan = Plan::from_env();
    println!(
        "hits per second, ours and by hand; {} rounds of {:?} each",
        plan.rounds - 1,
        plan.round
    );
    println!(
        "{:>6} {:>6} {:>11} {:>11} {:>7} {:>14}",
        "value", "tasks", "ours", "by hand", "ratio", "range"
    );
    let program = std::env::current_exe().expect("it runs");
    for size in 0..SIZES.len() {
        for tasks in TASKS {
            let which = [CELL, &size.to_string(), &tasks.to_string()];
            let mut cell = Command::new(&program);
            let ended = cell.args(std::env::args().skip(1)).args(which).status();
            assert!(ended.expect("it starts").success());
        }
    }
}

/// The place of its size and its number of tasks, if this process is to measure one cell.
fn which_cell() -> Option<(usize, usize)> {
    let mut arguments = std::env::args().skip_while(|argument| argument != CELL);
    arguments.next()?;
    let mut number = || arguments.next()?.parse().ok();
    Some((number()?, number()?))
}

#[tokio::main]
async fn cell((lines, size): (usize, &str), tasks: usize) {
    let server = RedisServer::start();
    let cache = prepare(&server, lines).await;
    let client = redis::Client::open(server.url()).expect("the address is right");
    let connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("the server is up");
    let loads = cache.stats().total().loads;
    let cell = Cell::measure(&Plan::from_env(), tasks, lines, &connection).await;
    println!("{size:>6} {tasks:>6} {cell}");
    assert_eq!(cache.stats().total().loads, loads, "all were hits");
}

/// Every key, on both sides.
async fn prepare(server: &RedisServer, lines: usize) -> Cache {
    let cache = Cache::builder().url(server.url()).namespace("bench");
    let cache = cache
        .require_connection(true)
        .build()
        .await
        .expect("the server is up");
    cache.clone().install().expect("nothing is installed yet");
    for id in 0..KEYS {
        let encoded = bincode::serde::encode_to_vec(order(lines, id), bincode::config::standard());
        server.plant(&hand_key(lines, id), &encoded.expect("it can be encoded"));
        annotated(lines, id).await;
    }
    let all = KEYS as u64;
    eventually("the fills", async || cache.stats().total().fills == all).await;
    cache
}

/// The rounds of one number of tasks and one size: operations per second of both sides.
struct Cell(Vec<[f64; 2]>);

impl Cell {
    async fn measure(
        plan: &Plan,
        tasks: usize,
        lines: usize,
        connection: &MultiplexedConnection,
    ) -> Self {
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            let ours = async || rate(plan, tasks, move |id| annotated(lines, id)).await;
            let theirs = async || {
                let connection = connection.clone();
                let call = move |id| by_hand(connection.clone(), lines, id);
                rate(plan, tasks, call).await
            };
            // Neither side is always the first.
            let both = if round % 2 == 0 {
                let ours = ours().await;
                [ours, theirs().await]
            } else {
                let theirs = theirs().await;
                [ours().await, theirs]
            };
            rounds.push(both);
        }
        Self(rounds.split_off(1))
    }

    fn sorted(&self, of: impl Fn(&[f64; 2]) -> f64) -> Vec<f64> {
        let mut sorted: Vec<_> = self.0.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let median = |sorted: &[f64]| sorted[sorted.len() / 2];
        let [ours, theirs] = [0, 1].map(|side| median(&self.sorted(|round| round[side])));
        let ratios = self.sorted(|[ours, theirs]| ours / theirs);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let range = format!("{least:.2} to {most:.2}");
        write!(
            f,
            "{ours:>11.0} {theirs:>11.0} {:>7.2} {range:>14}",
            median(&ratios)
        )
    }
}

/// Operations per second of so many tasks that do nothing else.
async fn rate<C, F>(plan: &Plan, tasks: usize, call: C) -> f64
where
    C: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = Order> + Send,
{
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let workers: Vec<_> = (0..tasks)
        .map(|task| {
            let (call, stop) = (call.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) {
                    let id = (task + done) % KEYS;
                    assert_eq!(call(id).await.id, id);
                    done += 1;
                }
                done
            })
        })
        .collect();
    tokio::time::sleep(plan.round).await;
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for worker in workers {
        done += worker.await.expect("no worker panics");
    }
    done as f64 / started.elapsed().as_secs_f64()
}
