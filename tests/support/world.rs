//! The same test body on every store.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::{Builder, Cache};

use super::{Cluster, RedisServer, eventually};

/// A store that belongs to one test. Each cache made here is one process: caches share nothing but
/// the store.
pub(crate) struct World {
    url: String,
    server: Option<RedisServer>,
    cluster: Option<Cluster>,
}

impl World {
    /// The store in memory; the name in its address is how caches share it.
    pub(crate) fn in_memory() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            url: format!("memory://world-{name}"),
            server: None,
            cluster: None,
        }
    }

    /// A Redis server of its own.
    pub(crate) fn on_redis() -> Self {
        let server = RedisServer::start();
        Self {
            url: server.url(),
            server: Some(server),
            cluster: None,
        }
    }

    /// What `STORE` asks for: one server, as long as it is not set, or a `cluster`.
    pub(crate) fn on_servers() -> Self {
        match std::env::var("STORE").as_deref() {
            Err(_) => Self::on_redis(),
            Ok("cluster") => Self::on_cluster(),
            Ok(other) => panic!("STORE is `cluster` or not set, not `{other}`"),
        }
    }

    /// A Redis Cluster of its own, of three primaries.
    pub(crate) fn on_cluster() -> Self {
        let cluster = Cluster::start(3);
        Self {
            url: cluster.url(),
            server: None,
            cluster: Some(cluster),
        }
    }

    /// A cluster that somebody else keeps.
    pub(crate) fn on_this(cluster: &Cluster) -> Self {
        Self {
            url: cluster.url(),
            server: None,
            cluster: None,
        }
    }

    /// The address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A builder whose deadline no busy machine misses.
    pub(crate) fn builder(&self) -> Builder {
        self.builder_in(&new_process())
    }

    /// The same for one of several caches of a process.
    pub(crate) fn builder_in(&self, process: &str) -> Builder {
        let builder = Cache::builder().url(&self.url).namespace("it");
        // What is read every few seconds is no command that a test has to count.
        let builder = builder.process(process).follow_modes(false);
        builder.deadline(Duration::from_secs(20))
    }

    /// A builder whose leases outlive every stall of a busy machine as well.
    pub(crate) fn patient(&self) -> Builder {
        self.builder().lease(Duration::from_secs(600))
    }

    /// A process.
    pub(crate) async fn cache(&self) -> Cache {
        self.builder()
            .build()
            .await
            .expect("the settings are right")
    }

    /// A process with such leases.
    pub(crate) async fn patient_cache(&self) -> Cache {
        let built = self.patient().build().await;
        built.expect("the settings are right")
    }

    /// The server, on Redis.
    pub(crate) fn server(&self) -> Option<&RedisServer> {
        self.server.as_ref()
    }

    /// All servers; none in memory.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &RedisServer> {
        let nodes = self.cluster.iter().flat_map(Cluster::nodes);
        self.server.iter().chain(nodes)
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        self.servers().next().is_none()
    }

    /// The address with a login.
    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        self.url.replacen("//", &format!("//{user}:{password}@"), 1)
    }

    /// The server of a test that runs on Redis alone.
    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        self.server.as_mut().expect("this test runs on Redis")
    }

    /// The cluster of a test that runs on one.
    pub(crate) fn cluster(&mut self) -> &mut Cluster {
        self.cluster.as_mut().expect("this test runs on a cluster")
    }
}

/// The name of a process that nobody else plays: caches of others share nothing with it but the store.
pub(crate) fn new_process() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Waits until `cache` has stored so many results: a caller has its value before that.
pub(crate) async fn filled(cache: &Cache, fills: u64) {
    eventually("the fills", async || cache.stats().total().fills >= fills).await;
}

/// Also waits until nobody joins them any more, for tests that count commands of many keys.
pub(crate) async fn landed(cache: &Cache, fills: u64) {
    filled(cache, fills).await;
    cache.flush().await.expect("the fills end");
}

/// How many operations of `cache` came to nothing, since the store is away.
pub(crate) fn unanswered(cache: &Cache) -> u64 {
    let store = cache.stats().store();
    store.rejected + store.timeouts + store.lost
}

/// Waits until so many fills of `cache` were refused.
pub(crate) async fn refused(cache: &Cache, fills: u64) {
    let refused = async || cache.stats().total().refused_fills == fills;
    eventually("the refusal", refused).await;
}

/// Waits until so many readers of `cache` have waited for others.
pub(crate) async fn waiting(cache: &Cache, readers: u64) {
    let waiting = async || cache.stats().total().waits == readers;
    eventually("the readers to wait", waiting).await;
}

/// Waits until a reader of `cache` has been served from the store once more.
pub(crate) async fn hit_again(cache: &Cache) {
    let hits = cache.stats().total().hits;
    let more = async || cache.stats().total().hits > hits;
    eventually("a hit", more).await;
}

/// Waits until each of `processes` takes the entry of `key` for past its TTL: each estimates the
/// server's clock for itself, from a round trip that a busy machine stretches.
pub(crate) async fn expired(key: &str, processes: impl IntoIterator<Item = &Cache>) {
    for cache in processes {
        let expired = async || cache.get::<u64>(key).await.unwrap().is_none();
        eventually("the end of the TTL", expired).await;
    }
}

/// Makes a test for each store of every `async fn name(world: World)` listed.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_memory() {
                super::$name($crate::support::World::in_memory()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_servers() {
                super::$name($crate::support::World::on_servers()).await;
            }
        }
    )+};
}

/// The same for behaviour that only Redis has.
macro_rules! on_redis {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                super::$name($crate::support::World::on_redis()).await;
            }
        }
    )+};
}

/// The same for behaviour that only a cluster has.
macro_rules! on_a_cluster {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_a_cluster() {
                super::$name($crate::support::World::on_cluster()).await;
            }
        }
    )+};
}

/// How a function is given its ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    One,
    Batch,
}

impl Form {
    pub(crate) const BOTH: [Self; 2] = [Self::One, Self::Batch];
}

/// The same on both stores in each form, for every `async fn name(world: World, form: Form)` listed.
macro_rules! in_both_forms {
    ($($name:ident),+ $(,)?) => {
        $crate::support::in_both_forms!(@form of_one One $($name)+);
        $crate::support::in_both_forms!(@form of_a_batch Batch $($name)+);
    };
    (@form $form:ident $of:ident $($name:ident)+) => {
        mod $form {
            use $crate::support::{Form, World};

            $crate::support::on_both_stores!($($name),+);

            $(async fn $name(world: World) {
                super::$name(world, Form::$of).await;
            })+
        }
    };
}

pub(crate) use {in_both_forms, on_a_cluster, on_both_stores, on_redis};
