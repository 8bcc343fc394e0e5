//! How tests share one installed cache, although each of them has a runtime of its own: for code that
//! spawns tasks or is driven from outside. A cache for each test, as in `testing.rs`, keeps them further
//! apart.
//!
//! ```text
//! cargo test --example testing_installed
//! REDIS_URL=redis://127.0.0.1 cargo test --example testing_installed
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};
use tokio::sync::OnceCell;

/// The likes of a few pages. Each test has a page of its own, since they share what is stored.
static LIKES: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

#[redis_cached(key = "likes:<page>", ttl = "1m")]
async fn likes(page: usize) -> u64 {
    LIKES[page].load(Ordering::SeqCst)
}

#[invalidates("likes:<page>")]
async fn like(page: usize) {
    LIKES[page].fetch_add(1, Ordering::SeqCst);
}

/// Whoever comes first builds the cache for all.
async fn install() {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let installed = INSTALLED.get_or_init(async || {
        let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
        // What an earlier run of the tests has stored is nothing to this one.
        let namespace = format!("testing/{}", std::process::id());
        let builder = Cache::builder().url(url).namespace(namespace);
        let built = builder.build().await;
        built
            .and_then(Cache::install)
            .expect("nobody else installs one");
    });
    installed.await;
}

#[tokio::main]
async fn main() {
    install().await;
    like(0).await;
    let (count, info) = likes(0).with_info().await;
    println!("{count} like, {:?}", info.status());
    println!("\nThe point of this file is its tests: cargo test --example testing_installed");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of the tests does, in its own runtime.
    async fn a_like_is_seen_at_once(page: usize) {
        install().await;
        for count in 1..=3 {
            like(page).await;
            assert_eq!(likes(page).await, count);
        }
    }

    #[tokio::test]
    async fn first() {
        a_like_is_seen_at_once(0).await;
    }

    #[tokio::test]
    async fn second() {
        a_like_is_seen_at_once(1).await;
    }

    #[tokio::test]
    async fn third() {
        a_like_is_seen_at_once(2).await;
    }
}
