//! No password and no user value in any error, any `Debug` and any line of a log.

use std::error::Error as _;
use std::fmt::Debug;

use cached_redis::{Cache, CachedExt as _, Key, invalidates, redis_cached};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::support::{Log, RedisServer, filled};

const PASSWORD: &str = "hunter2";
const CARD: &str = "4711-0815";
const NAME: &str = "Lovelace";

#[redis_cached(ttl = 60, key = "secrets:<card>")]
async fn owner(card: &str) -> String {
    let _ = card;
    NAME.to_owned()
}

#[invalidates("secrets:<card>")]
async fn sell(card: &str) {
    let _ = card;
}

/// A type whose errors tell the value.
#[derive(Debug, PartialEq, Serialize)]
struct Talkative(String);

impl<'de> Deserialize<'de> for Talkative {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(de::Error::custom(format!("{text} is not a name")))
    }
}

#[redis_cached(ttl = 60, key = "secrets:talkative:<card>")]
async fn talkative(card: &str) -> Talkative {
    let _ = card;
    Talkative(NAME.to_owned())
}

fn assert_silent(text: &str) {
    for secret in [PASSWORD, CARD, NAME] {
        assert!(!text.contains(secret), "`{secret}` in: {text}");
    }
}

fn assert_silent_error(error: &cached_redis::Error) {
    assert_silent(&format!("{error} {error:?} {error:#?}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        assert_silent(&format!("{error} {error:?}"));
        cause = error.source();
    }
}

fn assert_silent_debug(value: &impl Debug) {
    assert_silent(&format!("{value:?} {value:#?}"));
}

#[tokio::test]
async fn refused_addresses_are_told_without_the_password() {
    let addresses = [
        "redis://app:hunter2@localhost:port/",
        "redis://app:hunter2@localhost:99999",
        "redis://app:hunter2@/0",
        "redis://app:hunter2@local host",
        "redis://app:hunter2@localhost/zero",
        "redis://app:hunter2@localhost/0?unknown=hunter2",
        "redis://app:hunter2@localhost/0#hunter2",
        "redis://app:hun/hunter2@localhost",
        "redis://app:%zzhunter2@localhost:x",
        "redis://hunter2:x:y@[::1",
        "rediss://app:hunter2@localhost:port",
        "unknown://app:hunter2@localhost",
        "redis+unix://?pass=hunter2",
        "redis+unix:///x.sock?db=x&pass=hunter2",
        "redis+unix:///x.sock?pass=hunter2&pass=hunter2",
        "redis+cluster://app:hunter2@a,b,c/1",
        "redis+sentinel://app:hunter2@a,b",
        "app:hunter2@localhost",
        "hunter2",
        "//app:hunter2@localhost",
        " redis://app:hunter2@localhost:y",
        "memory://app:hunter2@name",
    ];
    for address in addresses {
        let builder = Cache::builder().url(address).namespace("it");
        assert_silent_debug(&builder);
        let built = builder.build().await;
        let error = built
            .err()
            .unwrap_or_else(|| panic!("`{address}` was accepted"));
        assert_silent_error(&error);
    }
}

#[tokio::test]
async fn a_login_shows_nowhere() {
    let (log, _guard) = Log::collect();
    let server = RedisServer::start();
    server.run::<()>(&["ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all"]);
    let cache = Cache::builder()
        .url(server.url_of("app", PASSWORD))
        .namespace("it");
    assert_silent_debug(&cache);
    let cache = cache.require_connection(true).build().await.unwrap();
    assert_silent_debug(&cache);
    cache.scope(owner(CARD)).await;
    filled(&cache, 1).await;
    cache.scope(owner(CARD)).await;
    assert_silent_debug(&cache.stats());
    assert_silent(&log.text());
}

#[tokio::test]
async fn a_refused_login_shows_nowhere() {
    let (log, _guard) = Log::collect();
    let server = RedisServer::start();
    server.run::<()>(&["ACL", "SETUSER", "app", "on", ">right", "~*", "+@all"]);
    let builder = || {
        Cache::builder()
            .url(server.url_of("app", PASSWORD))
            .namespace("it")
    };
    let refused = builder().require_connection(true).build().await;
    assert_silent_error(&refused.unwrap_err());
    let impatient = builder().flush_timeout(std::time::Duration::ZERO);
    let cache = impatient.build().await.unwrap();
    assert_eq!(cache.scope(owner(CARD)).await, NAME);
    assert_silent_error(
        &cache
            .get::<String>(Key::new("secrets:").value(CARD))
            .await
            .unwrap_err(),
    );
    cache.scope(sell(CARD)).await;
    assert_silent_error(&cache.flush().await.unwrap_err());
    assert!(!log.text().is_empty(), "an outage is told");
    assert_silent(&log.text());
}

#[tokio::test]
async fn no_event_tells_a_key_or_a_value() {
    let (log, _guard) = Log::collect();
    let mut server = RedisServer::start();
    let cache = Cache::builder()
        .url(server.url())
        .namespace("it")
        .build()
        .await
        .unwrap();
    let key = format!("it:secrets:{CARD}");
    cache
        .scope(async {
            owner(CARD).await;
            filled(&cache, 1).await;
            owner(CARD).await;
            owner(CARD).refreshed().await;
            sell(CARD).await;
            server.plant(&key, NAME.as_bytes());
            owner(CARD).await;
            assert_eq!(talkative(CARD).await, Talkative(NAME.to_owned()));
            sell(CARD).await;
            server.run::<()>(&["RPUSH", &key, NAME]);
            owner(CARD).await;
            let policy = cached_redis::Policy::new().ttl(std::time::Duration::from_secs(9));
            let unstorable = cache
                .put(&policy, "secrets:x", &Talkative(NAME.to_owned()))
                .await;
            assert_silent_error(&unstorable.unwrap_err());
            let wrong_type = cache.get::<String>(format!("secrets:{CARD}")).await;
            assert_silent_error(&wrong_type.unwrap_err());
        })
        .await;
    server.kill();
    cache.scope(owner(CARD)).await;
    cache.scope(sell(CARD)).await;
    assert_eq!(cache.stats().total().unstorable, 2);
    let text = log.text();
    assert!(
        text.contains("owner") && text.contains("sell"),
        "events name functions: {text}"
    );
    assert_silent(&text);
}

#[test]
fn debug_of_a_key_shows_no_value() {
    assert_silent_debug(&Key::new("secrets:").value(CARD));
}
