//! What a CDN is told.

use std::time::Duration;

use cached_redis_http::Cdn;

use crate::world::{MINUTE, World, cache, layer, set_cookie};

async fn world(cdn: impl FnOnce(&cached_redis::Cache) -> Cdn) -> World {
    let cache = cache().await;
    let layer = layer().cdn(cdn(&cache));
    World::on(cache, layer)
}

#[tokio::test]
async fn each_cdn_is_told_in_its_own_words_and_the_browser_asks_all_the_same() {
    let fastly = world(|cache| Cdn::fastly(cache, MINUTE)).await;
    let seen = fastly.get("/article/1").await;
    assert_eq!(seen.header("surrogate-control"), Some("max-age=60"));
    let names: Vec<_> = seen.header("surrogate-key").unwrap().split(' ').collect();
    assert_eq!(names.len(), 4, "{names:?}"); // its key, its tag, that of its function, the namespace
    assert_eq!(seen.header("cache-control"), Some("private, no-cache"));
    let unchanged = fastly.ask("/article/1", seen.etag()).await;
    assert_eq!(
        unchanged.header("surrogate-key"),
        seen.header("surrogate-key")
    );

    let cloudflare = world(|cache| Cdn::cloudflare(cache, MINUTE)).await;
    let seen = cloudflare.get("/article/1").await;
    assert_eq!(seen.header("cdn-cache-control"), Some("max-age=60"));
    let theirs: Vec<_> = seen.header("cache-tag").unwrap().split(',').collect();
    assert_eq!(theirs, names);
}

#[tokio::test]
async fn nothing_that_was_private_is_public() {
    let world = world(|cache| Cdn::fastly(cache, MINUTE)).await;
    for (path, headers) in [
        ("/article/1", &[("cookie", "a=b")][..]),
        ("/article/1", &[("authorization", "Basic YTpi")]),
        ("/with/vary/x-user", &[("x-user", "ada")]),
        (&set_cookie(), &[]),
        ("/uncached/1", &[]),
        ("/nothing/1", &[]),
        ("/with/cache-control/private", &[]),
    ] {
        let seen = world.send("GET", path, headers).await;
        for name in ["surrogate-control", "surrogate-key", "cdn-cache-control"] {
            assert_eq!(seen.header(name), None, "{path} {headers:?}");
        }
    }
    let open = world
        .send(
            "GET",
            "/with/vary/accept-encoding",
            &[("accept-encoding", "gzip")],
        )
        .await;
    assert!(open.header("surrogate-key").is_some());
}

#[tokio::test]
async fn a_cdn_keeps_nothing_longer_than_it_lives() {
    let world = world(|cache| Cdn::fastly(cache, 100 * MINUTE)).await;
    let seen = world.get("/article/1").await;
    let age = seen.header("surrogate-control").unwrap();
    let age: u64 = age.strip_prefix("max-age=").unwrap().parse().unwrap();
    assert!(age <= 600, "{age}");
    let short = Duration::from_millis(500);
    let none = self::world(|cache| Cdn::fastly(cache, short)).await;
    assert_eq!(
        none.get("/article/1").await.header("surrogate-control"),
        None
    );
}

#[tokio::test]
async fn the_names_of_a_page_of_8192_things_fit_into_a_header() {
    let world = world(|cache| Cdn::fastly(cache, MINUTE)).await;
    let seen = world.get("/many/8192").await;
    assert_eq!(seen.status, 200);
    let names = seen.header("surrogate-key").unwrap();
    assert!(names.len() <= 4096, "{}", names.len());
    let names: Vec<_> = names.split(' ').collect();
    assert!(
        names.iter().filter(|name| name.starts_with('b')).count() > 200,
        "{names:?}"
    );
}
