//! No 304 rests on what was loaded before an invalidation that had returned: in memory, on Redis in two processes,
//! and there from process memory, within what that may be late.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cached_redis::{Builder, Cache};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::support::{RedisServer, tier};
use crate::world::{MINUTE, World, cache, layer};

const ARTICLES: usize = 3;

/// How often a process writes in turn.
const BURST: usize = 4;

/// A text of an article, and when its invalidation had returned, in which process.
struct Written {
    text: String,
    process: usize,
    returned: Option<Instant>,
}

impl Written {
    /// Whether nothing older is to be read in `process` from now on.
    fn is_settled(&self, process: usize, staleness: Duration) -> bool {
        let allowed = match self.process == process {
            true => Duration::ZERO,
            false => staleness,
        };
        let since = self.returned.map(|returned| returned.elapsed());
        since.is_some_and(|since| since >= allowed)
    }
}

/// Two processes, and what may be read in them.
struct Shop {
    processes: [World; 2],
    path: &'static str,
    /// For how long one process may show what the other has invalidated.
    staleness: Duration,
    /// How many there are of each article at least.
    writes: usize,
    histories: [Mutex<Vec<Written>>; ARTICLES],
    unchanged: AtomicU64,
}

impl Shop {
    fn new(caches: [Cache; 2], path: &'static str, staleness: Duration) -> Arc<Self> {
        let [first, second] = caches;
        let first = World::on(first, layer());
        let second = first.beside(second, layer());
        let histories = std::array::from_fn(|id| {
            let text = format!("text {id}");
            Mutex::new(vec![Written {
                text,
                process: 0,
                returned: None,
            }])
        });
        Arc::new(Self {
            processes: [first, second],
            path,
            staleness,
            writes: match staleness.is_zero() {
                true => tier(150, 1000),
                false => tier(40, 160),
            },
            histories,
            unchanged: AtomicU64::new(0),
        })
    }

    /// The number of the oldest text that a read which begins now may show.
    fn floor(&self, id: usize, process: usize) -> usize {
        let history = self.histories[id].lock().unwrap();
        let settled = |written: &Written| written.is_settled(process, self.staleness);
        history.iter().rposition(settled).unwrap_or(0)
    }

    /// In one process and then in the other, until there were enough answers of each kind.
    async fn write(&self, id: usize) {
        for number in 1.. {
            // Equal ones follow each other, and come again later.
            let (text, process) = ((number / 2 % 40).to_string(), number / BURST % 2);
            self.histories[id].lock().unwrap().push(Written {
                text: text.clone(),
                process,
                returned: None,
            });
            self.processes[process].write(id as u64, &text).await;
            self.histories[id].lock().unwrap()[number].returned = Some(Instant::now());
            if number % BURST == BURST - 1 {
                // Long enough for what nobody may show any more to be shown.
                sleep(2 * self.staleness).await;
            }
            if number >= self.writes && self.has_seen_enough() {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    fn has_seen_enough(&self) -> bool {
        let is_local = !self.staleness.is_zero();
        let has_memory = |it: &World| it.cache.stats().total().local_hits > 100;
        let unchanged = self.unchanged.load(Ordering::Relaxed);
        unchanged > 200 && (!is_local || self.processes.iter().all(has_memory))
    }

    /// For ever: a browser that has kept all that it was ever shown.
    async fn read(&self, process: usize) {
        let mut known: [HashMap<String, String>; ARTICLES] = Default::default();
        loop {
            let id = fastrand::usize(..ARTICLES);
            let floor = self.floor(id, process);
            let text = self.look(id, process, &mut known[id]).await;
            self.judge(&text, id, floor);
            match fastrand::u8(..4) {
                0 => sleep(Duration::from_millis(1)).await, // others want the processor, too
                _ => yield_now().await,
            }
        }
    }

    /// What is shown, or what a 304 says is still to be shown.
    async fn look(&self, id: usize, process: usize, known: &mut HashMap<String, String>) -> String {
        let tags = known.keys().map(String::as_str).chain(["\"none\""]);
        let tags: Vec<_> = tags.collect();
        let path = format!("{}/{id}", self.path);
        let seen = self.processes[process].ask(&path, &tags.join(", ")).await;
        if seen.status == 304 {
            self.unchanged.fetch_add(1, Ordering::Relaxed);
            return known[seen.etag()].clone();
        }
        let text: String = serde_json::from_slice(&seen.body).unwrap();
        known.insert(seen.etag().to_owned(), text.clone());
        text
    }

    fn judge(&self, text: &str, id: usize, floor: usize) {
        let history = self.histories[id].lock().unwrap();
        let is_allowed = history[floor..].iter().any(|written| written.text == text);
        assert!(is_allowed, "{text:?} is older than no. {floor} of {id}");
    }
}

/// Readers and writers in both processes.
async fn is_kept_in(shop: Arc<Shop>) {
    let mut readers = JoinSet::new();
    for number in 0..4 {
        let shop = Arc::clone(&shop);
        readers.spawn(async move { shop.read(number % 2).await });
    }
    let mut writers = JoinSet::new();
    for id in 0..ARTICLES {
        let shop = Arc::clone(&shop);
        writers.spawn(async move { shop.write(id).await });
    }
    let all = async {
        tokio::select! {
            done = readers.join_next() => done.unwrap().unwrap(),
            done = writers.join_all() => drop(done),
        }
    };
    timeout(2 * MINUTE, all).await.expect("enough answers");
}

/// Two caches that know nothing of each other.
async fn two_processes(url: &str, with: impl Fn(Builder) -> Builder) -> [Cache; 2] {
    let build = async |process: &str| {
        let builder = Cache::builder().url(url).namespace("shop").process(process);
        with(builder).build().await.unwrap()
    };
    [build("first").await, build("second").await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_was_invalidated_is_in_no_304_that_begins_afterwards() {
    let cache = cache().await;
    let caches = [cache.clone(), cache];
    is_kept_in(Shop::new(caches, "/article", Duration::ZERO)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_redis_it_is_in_none_of_another_process_either() {
    let server = RedisServer::start();
    let caches = two_processes(&server.url(), |it| it).await;
    is_kept_in(Shop::new(caches, "/article", Duration::ZERO)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_process_memory_it_is_in_none_after_the_staleness() {
    const STALENESS: Duration = Duration::from_millis(300);
    let server = RedisServer::start();
    let caches = two_processes(&server.url(), |it| it.local_staleness(STALENESS)).await;
    is_kept_in(Shop::new(caches, "/near", STALENESS)).await;
}
