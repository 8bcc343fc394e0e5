//! The command on the page about codecs shows what an entry in JSON holds, whatever stands before it.

use cached_redis::{current, redis_cached};
use serde::{Deserialize, Serialize};

use crate::support::{World, filled, on_redis};

on_redis!(the_command_on_the_page_shows_the_payload);

const PAGE: &str = include_str!("../../cached-redis/src/docs/codecs.md");

#[derive(Deserialize, Serialize)]
struct User {
    id: u32,
    name: String,
}

#[redis_cached(ttl = 60, key = "payload:<id>", codec = json)]
async fn user(id: u32) -> User {
    if id == 2 {
        current().tag("payload:users");
    }
    let name = "Ada".to_owned();
    User { id, name }
}

/// The script in the quotation marks.
fn script() -> &'static str {
    let (_, command) = PAGE.split_once("redis-cli --raw EVAL \"").unwrap();
    command.split_once('"').unwrap().0
}

async fn the_command_on_the_page_shows_the_payload(mut world: World) {
    let cache = world.cache().await;
    for id in 1..=2 {
        cache.scope(user(id)).await;
    }
    // One that finds a tag is stored by its second load.
    cache.scope(user(2)).await;
    filled(&cache, 2).await;
    for id in 1..=2 {
        let key = format!("it:payload:{id}");
        let shown: String = world.redis().run(&["EVAL", script(), "1", &key]);
        assert_eq!(shown, format!(r#"{{"id":{id},"name":"Ada"}}"#));
    }
}
