//! Nothing but hits, for a profiler: `scripts/hit-files` counts the files that they run through.

use cached_redis::{Cache, redis_cached};
use tokio::runtime::{Builder, Runtime};

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../tests/support/mod.rs"]
mod support;

use support::RedisServer;

const HITS: u64 = 1000;

#[redis_cached(ttl = 3600, key = "square:<n>")]
async fn square(n: u64) -> u64 {
    n * n
}

/// What is profiled.
#[inline(never)]
fn only_hits(runtime: &Runtime) -> u64 {
    runtime.block_on(async {
        let mut sum = 0;
        for _ in 0..HITS {
            sum += square(7).await;
        }
        sum
    })
}

fn main() {
    let server = RedisServer::start();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let cache = runtime.block_on(async {
        let builder = Cache::builder().url(server.url()).namespace("hits");
        let cache = builder.build().await.expect("the server is there");
        cache.clone().install().expect("it is the only one");
        square(7).await;
        cache.flush().await.expect("the fill is answered");
        cache
    });
    assert_eq!(only_hits(&runtime), 49 * HITS);
    assert_eq!(cache.stats().total().hits, HITS);
}
