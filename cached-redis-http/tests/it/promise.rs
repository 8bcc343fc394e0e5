//! No 304 rests on what was loaded before an invalidation that had returned, and a tag matches only what is the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cached_redis_http::{BuildId, ConditionalGetLayer};

use crate::world::{World, cache, layer};

/// What an article has been, and how much of that was over when its last invalidation had returned.
#[derive(Default)]
struct History {
    texts: Vec<String>,
    over: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_was_invalidated_is_in_no_304_that_begins_afterwards() {
    let world = Arc::new(World::with(layer()).await);
    let histories = (0..3).map(|id| {
        let texts = vec![format!("text {id}")];
        Mutex::new(History { texts, over: 0 })
    });
    let histories: Vec<_> = histories.collect();
    let histories = Arc::new(histories);
    let writers = (0..3).map(|id| {
        let (world, histories) = (Arc::clone(&world), Arc::clone(&histories));
        tokio::spawn(async move {
            for _ in 0..400 {
                // Of few texts, so that equal ones come again.
                let text = fastrand::u8(0..3).to_string();
                let number = {
                    let mut history = histories[id].lock().unwrap();
                    history.texts.push(text.clone());
                    history.texts.len() - 1
                };
                world.write(id as u64, &text).await;
                histories[id].lock().unwrap().over = number;
                tokio::task::yield_now().await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let readers = (0..4).map(|_| {
        let (world, histories) = (Arc::clone(&world), Arc::clone(&histories));
        tokio::spawn(async move {
            let (mut unchanged, mut known) = (0, HashMap::<String, (Vec<u8>, usize)>::new());
            for _ in 0..600 {
                let id = fastrand::usize(0..3);
                let of_id = known.iter().filter(|(_, (_, of))| *of == id);
                let asked: Vec<_> = of_id.map(|(etag, _)| etag.clone()).collect();
                let asked = match asked.is_empty() {
                    true => "\"none\"".to_owned(),
                    false => asked[fastrand::usize(..asked.len())].clone(),
                };
                let over = histories[id].lock().unwrap().over;
                let seen = world.ask(&format!("/article/{id}"), &asked).await;
                let body = match seen.status {
                    304 => known[seen.etag()].0.clone(),
                    _ => seen.body.to_vec(),
                };
                unchanged += usize::from(seen.status == 304);
                let text: String = serde_json::from_slice(&body).unwrap();
                let now = histories[id].lock().unwrap().texts[over..].to_vec();
                assert!(now.contains(&text), "{} {text} {now:?}", seen.status);
                known.insert(seen.etag().to_owned(), (body, id));
            }
            unchanged
        })
    });
    let readers: Vec<_> = readers.collect();
    let mut unchanged = 0;
    for reader in readers {
        unchanged += reader.await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(unchanged > 100, "{unchanged} of 2400 were 304");
}

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
