//! Requests without a socket, each test with a database and a cache of its own.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

struct World {
    router: Router,
    cache: Cache,
}

/// Status, `x-cache` and body.
type Seen = (u16, String, Value);

impl World {
    async fn new() -> Self {
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        let build = BuildId::new("test");
        let router = router(notes::open().await.unwrap(), cache.clone(), build);
        Self { router, cache }
    }

    async fn send(&self, method: &str, path: &str, user: &str, body: &'static str) -> Seen {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("x-user", user).body(Body::from(body));
        let answer = self.router.clone().oneshot(request.unwrap());
        // In the server the cache is installed; here it belongs to the test.
        let response = self.cache.scope(answer).await.unwrap();
        let status = response.status().as_u16();
        let told = response.headers().get("x-cache");
        let told = told.map_or("", |told| told.to_str().unwrap()).to_owned();
        let body = to_bytes(response.into_body(), 65_536).await.unwrap();
        (
            status,
            told,
            serde_json::from_slice(&body).unwrap_or_default(),
        )
    }

    async fn get(&self, path: &str, user: &str) -> Seen {
        self.send("GET", path, user, "").await
    }

    /// What `user` reads under `path`, which is no hit, and one when it is read again.
    async fn read_anew(&self, path: &str, user: &str) -> Value {
        let (status, told, body) = self.get(path, user).await;
        assert_eq!((status, told.as_str()), (200, "miss"), "{path} of {user}");
        let again = self.get(path, user).await;
        assert_eq!(again, (200, "hit".to_owned(), body.clone()));
        body
    }
}

#[tokio::test]
async fn a_page_is_a_hit_until_its_owner_adds_a_note() {
    let world = World::new().await;
    assert_eq!(
        world
            .read_anew("/notes", "ada")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    world.read_anew("/notes", "ben").await;

    let (status, _, id) = world.send("POST", "/notes", "ada", "loom").await;
    assert_eq!(status, 201);
    assert_eq!(
        world
            .read_anew("/notes", "ada")
            .await
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(world.get("/notes", "ben").await.1, "hit");
    let note = world.read_anew(&format!("/notes/{id}"), "ada").await;
    assert_eq!(note["text"], "loom");
}

#[tokio::test]
async fn a_note_is_shown_to_its_owner_alone() {
    let world = World::new().await;
    world.read_anew("/notes/1", "ada").await;
    assert_eq!(world.get("/notes/1", "ben").await.0, 404);
    assert_eq!(world.get("/notes/1", "ada").await.0, 200);
}

#[tokio::test]
async fn a_note_that_was_missing_is_found_once_it_is_there() {
    let world = World::new().await;
    assert_eq!(world.get("/notes/4", "ada").await.0, 404);
    world.send("POST", "/notes", "ada", "loom").await;
    assert_eq!(world.get("/notes/4", "ada").await.0, 200);
}

#[tokio::test]
async fn what_a_transaction_moves_is_read_anew_on_both_sides_and_only_after_its_commit() {
    let world = World::new().await;
    world.read_anew("/notes", "ada").await;
    world.read_anew("/notes", "ben").await;
    world.read_anew("/notes/1", "ada").await;

    assert_eq!(
        world.send("POST", "/notes/1/give/ben", "ada", "").await.0,
        204
    );
    assert_eq!(world.get("/notes/1", "ada").await.0, 404);
    assert_eq!(
        world.read_anew("/notes/1", "ben").await["text"],
        json!("tea")
    );
    assert_eq!(
        world
            .read_anew("/notes", "ada")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        world
            .read_anew("/notes", "ben")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_transaction_that_finds_nothing_invalidates_nothing() {
    let world = World::new().await;
    world.read_anew("/notes", "ada").await;
    assert_eq!(
        world.send("POST", "/notes/3/give/ben", "ada", "").await.0,
        404
    );
    assert_eq!(world.get("/notes", "ada").await.1, "hit");
}

#[tokio::test]
async fn every_writer_has_a_reader_and_every_reader_a_writer() {
    cached_redis::assert_catalog!();
}

#[tokio::test]
async fn a_browser_that_has_the_page_is_told_so_until_it_has_changed_and_nobody_else_is() {
    let world = World::new().await;
    let asked = async |user, etag: &str| {
        let request = Request::get("/notes").header("x-user", user);
        let request = request.header("if-none-match", etag).body(Body::empty());
        let answer = world.router.clone().oneshot(request.unwrap());
        let response = world.cache.scope(answer).await.unwrap();
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        (response.status().as_u16(), etag)
    };
    let (_, etag) = asked("ada", "\"none\"").await;
    assert_eq!(asked("ada", &etag).await.0, 304);
    assert_eq!(asked("ben", &etag).await.0, 200);
    world.send("POST", "/notes", "ada", "another").await;
    assert_eq!(asked("ada", &etag).await.0, 200);
}
