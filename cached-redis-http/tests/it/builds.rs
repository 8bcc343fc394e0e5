//! A tag matches only what is the same: of the same build, and of the same inputs.

use cached_redis_http::{BuildId, ConditionalGetLayer};

use crate::world::{World, cache, layer};

#[tokio::test]
async fn two_builds_never_share_a_tag_and_neither_do_two_inputs() {
    let cache = cache().await;
    let mut tags: Vec<String> = Vec::new();
    for layer in [
        layer(),
        ConditionalGetLayer::new(BuildId::new("build 2")),
        ConditionalGetLayer::new(BuildId::of_executable().unwrap()),
        layer().input(|_| "dark"),
        layer().input(|_| "da").input(|_| "rk"),
        layer().input(|parts| parts.uri.path().len().to_le_bytes()),
    ] {
        let world = World::on(cache.clone(), layer);
        let etag = world.get("/article/1").await.etag().to_owned();
        assert_eq!(world.ask("/article/1", &etag).await.status, 304);
        assert!(tags.iter().all(|other| other != &etag));
        for other in &tags {
            assert_eq!(world.ask("/article/1", other).await.status, 200);
        }
        tags.push(etag);
    }
}

#[tokio::test]
async fn cookies_that_do_not_count_change_no_tag() {
    let world = World::with(layer().ignore_cookies(["_ga*"])).await;
    let get = async |cookies| {
        let seen = world
            .send("GET", "/article/1", &[("cookie", cookies)])
            .await;
        seen.etag().to_owned()
    };
    let etag = get("session=a; _ga=1").await;
    assert_eq!(get("_ga_X=7; session=a; _ga=2").await, etag);
    assert_ne!(get("session=b; _ga=1").await, etag);
}
