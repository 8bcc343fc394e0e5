//! Something of ours beside the same thing written by hand, on the redis crate's default
//! `MultiplexedConnection` with a formatted key and the same codec.
//!
//! Both sides take turns in short rounds within one run, so that whatever else the machine does meets
//! both. What counts is the ratio of a round, ours ÷ by hand, in operations per second; the first round
//! of a cell is not counted. Each cell has a process and a server of its own: how the allocator was left
//! by one would show in the next. `BENCH_QUICK=1` only shows that it runs.

#![allow(unused, reason = "shared by several programs, each uses its part")]

use std::fmt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cached_redis::{Builder, Cache};
use redis::aio::MultiplexedConnection;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod order;
#[path = "../../tests/support/mod.rs"]
pub mod support;

use support::RedisServer;

/// Before the places of a row and a number of tasks.
const CELL: &str = "--cell";

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

/// Measures each row with each number of tasks, each in a process of its own.
pub fn measure<F>(rows: &[&str], tasks: &[usize], cell: impl Fn(usize, usize) -> F)
where
    F: Future<Output = Cell>,
{
    if let Some((row, tasks)) = which_cell() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        let cell = runtime.block_on(cell(row, tasks));
        return println!("{:>16} {tasks:>6} {cell}", rows[row]);
    }
    let Plan { rounds, round } = Plan::from_env();
    println!(
        "per second, ours and by hand; {} rounds of {round:?} each",
        rounds - 1
    );
    println!(
        "{:>16} {:>6} {:>11} {:>11} {:>7} {:>14}",
        "", "tasks", "ours", "by hand", "ratio", "range"
    );
    let program = std::env::current_exe().expect("it runs");
    let rows = (0..rows.len()).flat_map(|row| tasks.iter().map(move |tasks| (row, tasks)));
    for (row, tasks) in rows {
        let which = [CELL, &row.to_string(), &tasks.to_string()];
        let mut cell = Command::new(&program);
        let ended = cell.args(std::env::args().skip(1)).args(which).status();
        assert!(ended.expect("it starts").success());
    }
}

/// The row and the number of tasks, if this process is to measure one cell.
fn which_cell() -> Option<(usize, usize)> {
    let mut arguments = std::env::args().skip_while(|argument| argument != CELL);
    arguments.next()?;
    let mut number = || arguments.next()?.parse().ok();
    Some((number()?, number()?))
}

/// A server, the cache that is installed, and a connection for what is written by hand.
pub async fn prepare(
    settings: impl FnOnce(Builder) -> Builder,
) -> (RedisServer, Cache, MultiplexedConnection) {
    let server = RedisServer::start();
    let builder = Cache::builder().url(server.url()).namespace("bench");
    let builder = settings(builder).require_connection(true);
    let cache = builder.build().await.expect("the server is up");
    cache.clone().install().expect("nothing is installed yet");
    let client = redis::Client::open(server.url()).expect("the address is right");
    let connection = client.get_multiplexed_async_connection().await;
    (server, cache, connection.expect("the server is up"))
}

/// As it is written by hand.
pub fn encoded(value: &impl Serialize) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).expect("it can be encoded")
}

pub fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> T {
    let decoded = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    decoded.expect("it was encoded by this program").0
}

/// For sides that never wait: without this nobody would serve the timer that ends a round.
pub async fn breathe(turn: usize) {
    if turn.is_multiple_of(1024) {
        tokio::task::yield_now().await;
    }
}

/// The rounds of one number of tasks: operations per second of both sides.
pub struct Cell(Vec<[f64; 2]>);

/// Each side is given a number that grows, of a task of its own.
pub async fn compare<A, B>(
    tasks: usize,
    ours: impl Fn(usize) -> A + Clone + Send + 'static,
    by_hand: impl Fn(usize) -> B + Clone + Send + 'static,
) -> Cell
where
    A: Future<Output = ()> + Send,
    B: Future<Output = ()> + Send,
{
    let plan = Plan::from_env();
    let mut rounds = Vec::new();
    for round in 0..plan.rounds {
        let ours = || rate(plan.round, tasks, ours.clone());
        let by_hand = || rate(plan.round, tasks, by_hand.clone());
        // Neither side is always the first.
        rounds.push(if round % 2 == 0 {
            let ours = ours().await;
            [ours, by_hand().await]
        } else {
            let by_hand = by_hand().await;
            [ours().await, by_hand]
        });
    }
    Cell(rounds.split_off(1))
}

impl Cell {
    /// By how many ns an operation of ours is longer.
    pub fn lost(&self) -> f64 {
        let lost = self.sorted(|[ours, by_hand]| 1e9 / ours - 1e9 / by_hand);
        lost[lost.len() / 2]
    }

    fn sorted(&self, of: impl Fn(&[f64; 2]) -> f64) -> Vec<f64> {
        let mut sorted: Vec<_> = self.0.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |sorted: &[f64]| sorted[sorted.len() / 2];
        let [ours, by_hand] = [0, 1].map(|side| median(&self.sorted(|round| round[side])));
        let ratios = self.sorted(|[ours, by_hand]| ours / by_hand);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let range = format!("{least:.2} to {most:.2}");
        let ratio = median(&ratios);
        write!(f, "{ours:>11.0} {by_hand:>11.0} {ratio:>7.2} {range:>14}")
    }
}

/// Operations per second of so many tasks that do nothing else.
async fn rate<F>(
    round: Duration,
    tasks: usize,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> f64
where
    F: Future<Output = ()> + Send,
{
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let worker = |task| {
        let (call, stop) = (call.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                call(task + done).await;
                done += 1;
            }
            done
        })
    };
    let workers: Vec<_> = (0..tasks).map(worker).collect();
    tokio::time::sleep(round).await;
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for worker in workers {
        done += worker.await.expect("no worker panics");
    }
    done as f64 / started.elapsed().as_secs_f64()
}
