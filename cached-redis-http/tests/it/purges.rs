//! Purges, against a server that says no, says nothing, and is not there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use cached_redis::Cache;
use cached_redis::events::{Consumer, Notice};
use cached_redis_http::Cdn;
use cached_redis_http::purge::{Cloudflare, Fastly, PurgeError, Purger};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::world::{MINUTE, World, layer};

#[derive(Clone, Copy)]
enum Reply {
    Status(u16, Option<&'static str>),
    Silence,
    No,
}

struct Asked {
    at: Instant,
    path: String,
    headers: HeaderMap,
    names: Vec<String>,
}

#[derive(Clone)]
struct Api {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: mpsc::UnboundedSender<Asked>,
}

async fn answer(State(api): State<Api>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let names = body.get("surrogate_keys").or(body.get("tags")).unwrap();
    let asked = Asked {
        at: Instant::now(),
        path: uri.path().to_owned(),
        headers,
        names: serde_json::from_value(names.clone()).unwrap(),
    };
    let _ = api.asked.send(asked);
    let reply = api.replies.lock().unwrap().pop_front();
    match reply {
        None => r#"{"success": true}"#.into_response(),
        Some(Reply::No) => r#"{"success": false}"#.into_response(),
        Some(Reply::Silence) => std::future::pending().await,
        Some(Reply::Status(status, after)) => {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (
                status,
                after
                    .map(|after| [("retry-after", after)])
                    .unwrap_or([("x-none", "")]),
            )
                .into_response()
        }
    }
}

/// Serves on `listener`; what it is asked.
fn serve(listener: TcpListener, replies: &[Reply]) -> mpsc::UnboundedReceiver<Asked> {
    let (sender, asked) = mpsc::unbounded_channel();
    let api = Api {
        replies: Arc::new(Mutex::new(replies.iter().copied().collect())),
        asked: sender,
    };
    let router = Router::new().fallback(answer).with_state(api);
    tokio::spawn(async move { axum::serve(listener, router).await });
    asked
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

fn consumer() -> Consumer {
    Consumer::new("cdn", "cdn-1").from_start()
}

const SOON: Duration = Duration::from_millis(10);

fn purger(address: &str) -> Purger<Fastly> {
    let fastly = Fastly::at(address, "shop", "secret").unwrap();
    let purger = Purger::new(fastly)
        .unwrap()
        .at_start(false)
        .again_after(SOON);
    purger.timeout(Duration::from_millis(300)).retry(SOON, SOON)
}

fn run(purger: Purger<Fastly>, cache: &Cache) -> tokio::task::JoinHandle<()> {
    let cache = cache.clone();
    tokio::spawn(async move { purger.run(&cache, consumer()).await })
}

async fn cdn_world() -> World {
    let cache = crate::world::cache().await;
    let layer = layer().cdn(Cdn::fastly(&cache, MINUTE));
    World::on(cache, layer)
}

/// Whether the names of a page are met by a purge.
fn is_purged(page: &crate::world::Seen, asked: &[String]) -> bool {
    let mut names = page.header("surrogate-key").unwrap().split(' ');
    names.any(|name| asked.iter().any(|purged| purged == name))
}

#[tokio::test]
async fn what_is_invalidated_is_purged_twice_and_then_acknowledged() {
    let world = cdn_world().await;
    let (one, two) = (world.get("/article/1").await, world.get("/article/2").await);
    let many = world.get("/many/8192").await;
    let (listener, address) = listen().await;
    let mut asked = serve(listener, &[]);
    let running = run(purger(&address), &world.cache);
    world.write(1, "other").await;
    for _ in 0..2 {
        let asked = asked.recv().await.unwrap();
        assert_eq!(asked.path, "/service/shop/purge");
        assert_eq!(asked.headers["fastly-key"], "secret");
        assert!(is_purged(&one, &asked.names) && !is_purged(&two, &asked.names));
        assert!(is_purged(&many, &asked.names));
    }
    // It purges what comes next when it has acknowledged.
    world.write(2, "other").await;
    for _ in 0..2 {
        assert!(is_purged(&two, &asked.recv().await.unwrap().names));
    }
    world.write(3, "other").await;
    asked.recv().await.unwrap();
    running.abort();
    let _ = running.await;
    // The third one at the earliest: what was acknowledged does not come again.
    let mut events = world.cache.durable_events(consumer()).await;
    let Some(Notice::Invalidated(event)) = events.next().await else {
        panic!()
    };
    assert!(
        event.keys.iter().all(|key| !key.ends_with(":1")),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_purge_is_sent_until_it_is_taken() {
    let world = cdn_world().await;
    let (listener, address) = listen().await;
    let later = Reply::Status(429, Some("1"));
    let no = [
        later,
        Reply::Status(500, None),
        Reply::Silence,
        Reply::Status(403, Some("soon")),
    ];
    let mut asked = serve(listener, &no);
    let running = run(purger(&address), &world.cache);
    world.write(1, "other").await;
    let first = asked.recv().await.unwrap();
    let second = asked.recv().await.unwrap();
    assert!(second.at - first.at >= Duration::from_secs(1)); // as `Retry-After` says
    for _ in 2..no.len() + 2 {
        // Taken at last, and then once more.
        assert_eq!(asked.recv().await.unwrap().names, first.names);
    }
    running.abort();
}

#[tokio::test]
async fn an_api_that_is_down_gets_its_purges_when_it_is_back() {
    let world = cdn_world().await;
    let (listener, address) = listen().await;
    drop(listener);
    let running = run(purger(&address), &world.cache);
    world.write(1, "other").await;
    tokio::time::sleep(5 * SOON).await; // some attempts fail, or none yet
    let listener = TcpListener::bind(address.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let mut asked = serve(listener, &[]);
    assert!(!asked.recv().await.unwrap().names.is_empty());
    running.abort();
}

#[tokio::test]
async fn a_process_that_ends_before_its_purge_leaves_it_to_the_next() {
    let world = cdn_world().await;
    let page = world.get("/article/1").await;
    let (listener, address) = listen().await;
    let mut asked = serve(listener, &[Reply::Silence]);
    let running = run(purger(&address), &world.cache);
    world.write(1, "other").await;
    assert!(is_purged(&page, &asked.recv().await.unwrap().names));
    running.abort(); // in the middle of the request
    let _ = running.await;
    let running = run(purger(&address), &world.cache);
    for _ in 0..2 {
        assert!(is_purged(&page, &asked.recv().await.unwrap().names));
    }
    running.abort();
}

#[tokio::test]
async fn all_is_purged_at_the_start_and_where_nobody_can_tell_what() {
    let world = cdn_world().await;
    let page = world.get("/article/1").await;
    let (listener, address) = listen().await;
    let mut asked = serve(listener, &[]);
    let running = run(purger(&address).at_start(true), &world.cache);
    for _ in 0..2 {
        let all = asked.recv().await.unwrap().names;
        assert!(all.len() == 1 && is_purged(&page, &all), "{all:?}");
    }
    let pattern = world.cache.invalidation().matching("nobody:*");
    pattern.publish().send().await.unwrap();
    let all = asked.recv().await.unwrap().names;
    assert!(all.len() == 1 && is_purged(&page, &all), "{all:?}");
    running.abort();
}

#[tokio::test]
async fn cloudflare_is_asked_in_its_own_words_and_says_no_in_its_body() {
    let world = cdn_world().await;
    let (listener, address) = listen().await;
    let mut asked = serve(listener, &[Reply::No]);
    let api = Cloudflare::at(&address, "zone", "secret").unwrap();
    let purger = Purger::new(api)
        .unwrap()
        .at_start(false)
        .again_after(SOON)
        .retry(SOON, SOON);
    let cache = world.cache.clone();
    let running = tokio::spawn(async move { purger.run(&cache, consumer()).await });
    let many = world
        .cache
        .invalidation()
        .keys((0..40).map(|id| format!("article:{id}")));
    many.publish().send().await.unwrap();
    let first = asked.recv().await.unwrap();
    assert_eq!(first.path, "/client/v4/zones/zone/purge_cache");
    assert_eq!(first.headers["authorization"], "Bearer secret");
    assert_eq!(first.names.len(), 30);
    assert_eq!(asked.recv().await.unwrap().names, first.names); // again, as it said no
    assert_ne!(asked.recv().await.unwrap().names, first.names);
    running.abort();
}

#[test]
fn what_an_api_cannot_be_told_is_refused_and_no_token_is_shown() {
    for (address, service) in [
        ("localhost", "a"),
        ("ftp://a", "a"),
        ("http://a", ""),
        ("http://a", "../b"),
    ] {
        let refused = Fastly::at(address, service, "secret");
        assert!(
            matches!(refused, Err(PurgeError::Address)),
            "{address} {service}"
        );
    }
    let refused = Cloudflare::new("zone", "secret\n").unwrap_err();
    assert!(matches!(refused, PurgeError::Token));
    assert!(refused.to_string().contains("letters and digits"));
    let shown = format!(
        "{:?} {:?}",
        Fastly::new("a", "secret"),
        Cloudflare::new("a", "secret")
    );
    assert!(!shown.contains("secret"), "{shown}");
}
