//! Servers that Sentinels watch: whichever is the primary is found, at the start and after a failover.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::error::{AddressProblem, ConnectProblem};
use cached_redis::{Builder, Cache, CachedExt as _, Error, Status, invalidates, redis_cached};
use tracing::Level;

use crate::support::impostor::{Impostor, bulk};
use crate::support::sentinel::{SERVICE, Watched, url, watch, watching};
use crate::support::{Log, RedisServer, Source, eventually, in_time};

#[redis_cached(ttl = 600, key = "sentinel:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("sentinel:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

fn builder(url: impl Into<String>) -> Builder {
    let builder = Cache::builder().url(url).namespace("it");
    builder
        .connect_timeout(Duration::from_secs(20))
        .deadline(Duration::from_secs(20))
}

async fn connected(url: impl Into<String>) -> Cache {
    let built = builder(url).require_connection(true).build().await;
    built.expect("a primary is found")
}

async fn problem(builder: Builder) -> ConnectProblem {
    match in_time(builder.build()).await {
        Err(Error::Connect { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

async fn hits(cache: &Cache, source: &Source) {
    let hit = async || cache.scope(read(source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

/// Whether the entry stands there.
fn stands(server: &RedisServer) -> bool {
    server.bytes("it:sentinel:1").is_some()
}

/// What was read before the failover of `watched` is found again on the new primary, and what is written after it is
/// removed there.
async fn goes_on(cache: &Cache, source: &Source, watched: &Watched) {
    watched.failed_over().await;
    let there = async || {
        cache.scope(read(source, 1)).await;
        stands(&watched.servers[1]) && cache.stats().store().reconnects > 0
    };
    eventually("the new primary", there).await;
    hits(cache, source).await;
    let written = cache.scope(write(source, 1)).await;
    assert!(!stands(&watched.servers[1]));
    assert_eq!(cache.scope(read(source, 1)).await, written);
}

#[tokio::test]
async fn a_primary_that_is_killed_is_left_for_the_one_that_takes_its_place() {
    let mut watched = Watched::start().await;
    let (cache, source) = (connected(watched.url()).await, Source::new());
    hits(&cache, &source).await;
    assert!(stands(&watched.servers[0]));
    watched.servers[0].kill();
    cache.scope(write(&source, 1)).await;
    assert_eq!(cache.scope(read(&source, 1)).await, source.version());
    goes_on(&cache, &source, &watched).await;
}

#[tokio::test]
async fn a_planned_failover_is_followed_at_once() {
    let watched = Watched::start().await;
    let (cache, source) = (connected(watched.url()).await, Source::new());
    hits(&cache, &source).await;
    watched.sentinels[1].run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    goes_on(&cache, &source, &watched).await;
}

#[tokio::test]
async fn sentinels_that_the_address_does_not_name_are_learned() {
    let mut watched = Watched::start().await;
    let only = url(&[watched.sentinels[0].port()]);
    let (cache, source) = (connected(only).await, Source::new());
    hits(&cache, &source).await;
    watched.sentinels[0].kill();
    let [_, left, other] = &watched.sentinels;
    left.run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    let port = watched.servers[1].port();
    let named = async || {
        [left, other]
            .into_iter()
            .all(|sentinel| names(sentinel, port))
    };
    eventually("the failover", named).await;
    let there = async || {
        cache.scope(read(&source, 1)).await;
        cache.stats().store().reconnects > 0 && stands(&watched.servers[1])
    };
    eventually("the new primary", there).await;
}

fn names(sentinel: &RedisServer, port: u16) -> bool {
    let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE];
    sentinel.run::<Vec<String>>(&words)[1] == port.to_string()
}

#[tokio::test]
async fn a_sentinel_that_says_nothing_holds_nobody_up() {
    let primary = RedisServer::start();
    let [silent, other] = [watching(&primary, 1), watching(&primary, 1)];
    silent.freeze();
    let cache = connected(url(&[silent.port(), other.port()])).await;
    hits(&cache, &Source::new()).await;
    silent.thaw();
}

/// Says that the primary is on `port`, as was so after so many failovers.
async fn saying(port: u16, epoch: u64) -> Impostor {
    saying_each_time(move |_| (port, epoch)).await
}

/// Says to each question in turn on which port the primary is, and after how many failovers; announces none.
async fn saying_each_time(
    primary: impl Fn(usize) -> (u16, u64) + Send + Sync + 'static,
) -> Impostor {
    let asked = AtomicUsize::new(0);
    Impostor::answering(move |words| match words {
        ["SENTINEL", "MASTER", SERVICE] => {
            let (port, epoch) = primary(asked.fetch_add(1, Ordering::Relaxed));
            let fields = [
                ("ip", "127.0.0.1".to_owned()),
                ("port", port.to_string()),
                ("config-epoch", epoch.to_string()),
            ];
            let fields = fields.map(|(name, value)| bulk(name) + &bulk(&value));
            format!("*6\r\n{}", fields.concat())
        }
        ["SENTINEL", "SENTINELS", SERVICE] => "*0\r\n".to_owned(),
        ["SUBSCRIBE", channel] => {
            format!("*3\r\n{}{}:1\r\n", bulk("subscribe"), bulk(channel))
        }
        _ => "-ERR unknown command\r\n".to_owned(),
    })
    .await
}

/// What is loaded stands on `new` in the end, though `old` is a primary still.
async fn is_left(cache: &Cache, old: &RedisServer, new: &RedisServer) {
    let source = Source::new();
    let there = async || {
        cache.scope(read(&source, 1)).await;
        stands(new)
    };
    eventually("the new primary", there).await;
    assert!(
        old.run::<Vec<redis::Value>>(&["ROLE"])[0] == redis::Value::BulkString(b"master".to_vec())
    );
}

#[tokio::test]
async fn a_failover_between_the_question_and_the_subscription_is_not_missed() {
    let [old, new] = [RedisServer::start(), RedisServer::start()];
    let (before, after) = ((old.port(), 1), (new.port(), 2));
    let sentinel = saying_each_time(move |asked| if asked == 0 { before } else { after }).await;
    let cache = connected(url(&[sentinel.port()])).await;
    is_left(&cache, &old, &new).await;
}

#[tokio::test]
async fn a_failover_that_a_silent_subscription_does_not_tell_is_asked_for() {
    let [old, new] = [RedisServer::start(), RedisServer::start()];
    let (before, after) = ((old.port(), 1), (new.port(), 2));
    // To connect, and when it is subscribed to.
    let sentinel = saying_each_time(move |asked| if asked < 2 { before } else { after }).await;
    let cache = connected(url(&[sentinel.port()])).await;
    is_left(&cache, &old, &new).await;
}

#[tokio::test]
async fn a_server_under_another_name_of_the_same_failover_is_not_left() {
    let [here, there] = [RedisServer::start(), RedisServer::start()];
    let (before, after) = ((here.port(), 1), (there.port(), 1));
    let sentinel = saying_each_time(move |asked| if asked == 0 { before } else { after }).await;
    let (cache, source) = (connected(url(&[sentinel.port()])).await, Source::new());
    for _ in 0..100 {
        hits(&cache, &source).await;
    }
    assert_eq!(cache.stats().store().reconnects, 0);
    assert!(!stands(&there));
}

#[tokio::test]
async fn sentinels_that_refuse_to_be_listened_to_are_asked_and_that_is_told_with_the_remedy() {
    let (log, _guard) = Log::collect();
    let [old, new] = [RedisServer::start(), RedisServer::start()];
    let sentinel = watching(&old, 1);
    sentinel.run::<()>(&["ACL", "SETUSER", "default", "-subscribe"]);
    let cache = connected(url(&[sentinel.port()])).await;
    let remedy = "`&+switch-master`";
    let told = async || log.count(Level::WARN, remedy) == 1;
    eventually("it is told", told).await;
    old.run::<()>(&["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    follows(&sentinel, &new);
    is_left(&cache, &old, &new).await;
    assert!(log.text().contains("NOPERM"));
}

#[tokio::test]
async fn a_sentinel_that_lags_is_overruled_though_its_server_is_a_primary_still() {
    let [old, new] = [RedisServer::start(), RedisServer::start()];
    let (lagging, current) = (saying(old.port(), 1).await, saying(new.port(), 2).await);
    for ports in [
        [lagging.port(), current.port()],
        [current.port(), lagging.port()],
    ] {
        let cache = connected(url(&ports)).await;
        hits(&cache, &Source::new()).await;
        assert!(stands(&new) && !stands(&old));
    }
}

#[tokio::test]
async fn a_primary_is_left_when_a_sentinel_says_so_though_it_does_not_know_of_it_itself() {
    let [old, new] = [RedisServer::start(), RedisServer::start()];
    let sentinel = watching(&old, 1);
    let (cache, source) = (connected(url(&[sentinel.port()])).await, Source::new());
    hits(&cache, &source).await;
    // Nobody tells it.
    old.run::<()>(&["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    let subscribed = async || {
        sentinel
            .run::<String>(&["CLIENT", "LIST"])
            .contains(" sub=1 ")
    };
    eventually("the subscription", subscribed).await;
    follows(&sentinel, &new);
    let there = async || {
        cache.scope(read(&source, 1)).await;
        stands(&new)
    };
    eventually("the new primary", there).await;
}

/// Another Sentinel tells it of a failover to `primary`.
fn follows(sentinel: &RedisServer, primary: &RedisServer) {
    let other = "127.0.0.1,1,0123456789012345678901234567890123456789,5";
    let news = format!("{other},{SERVICE},127.0.0.1,{},5", primary.port());
    sentinel.run::<()>(&["PUBLISH", "__sentinel__:hello", &news]);
}

#[tokio::test]
async fn a_server_that_is_a_primary_no_more_is_not_used_whoever_names_it() {
    let [old, new] = [RedisServer::start(), RedisServer::start()];
    old.demote(&new);
    let lagging = saying(old.port(), 1).await;
    let required = builder(url(&[lagging.port()])).require_connection(true);
    assert_eq!(problem(required).await, ConnectProblem::Replica);
}

#[tokio::test]
async fn a_service_that_is_not_known_and_a_server_that_is_no_sentinel_are_refused() {
    let primary = RedisServer::start();
    let sentinel = watching(&primary, 1);
    let other = url(&[sentinel.port()]).replace(SERVICE, "cellar");
    let unknown = problem(builder(other)).await;
    assert_eq!(unknown, ConnectProblem::UnknownService);
    assert!(unknown.to_string().contains("`SENTINEL MASTERS`"));
    let plain = problem(builder(url(&[primary.port()]))).await;
    assert_eq!(plain, ConnectProblem::NotSentinel);
    assert!(plain.to_string().contains("redis://"));
    let sentinel = problem(builder(sentinel.url())).await;
    assert!(sentinel.to_string().contains("redis+sentinel://"));
    let url = "redis+sentinel://127.0.0.1";
    match builder(url).build().await {
        Err(Error::Address {
            problem: AddressProblem::MissingService,
            address,
        }) => assert_eq!(address, url),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sentinels_that_are_all_down_are_found_when_they_come() {
    let primary = RedisServer::start();
    let mut sentinel = RedisServer::start_with(&["--sentinel"]);
    let url = url(&[sentinel.port()]);
    sentinel.kill();
    let required = problem(builder(&url).require_connection(true)).await;
    assert_eq!(
        required,
        ConnectProblem::NoSentinel(Box::new(ConnectProblem::Refused))
    );
    let (cache, source) = (builder(&url).build().await.unwrap(), Source::new());
    assert_eq!(
        cache.scope(read(&source, 1).with_info()).await.1.status(),
        Status::Bypass
    );
    sentinel.restart();
    watch(&sentinel, &primary, 1);
    hits(&cache, &source).await;
}

#[tokio::test]
async fn a_sentinel_that_watches_nothing_yet_is_no_reason_to_give_up_while_others_are_down() {
    let primary = RedisServer::start();
    let blank = RedisServer::start_with(&["--sentinel"]);
    let mut down = watching(&primary, 1);
    down.kill();
    let url = url(&[blank.port(), down.port()]);
    let required = problem(builder(&url).require_connection(true)).await;
    let unknown = ConnectProblem::NoSentinel(Box::new(ConnectProblem::UnknownService));
    assert_eq!(required, unknown);
    let (cache, source) = (builder(&url).build().await.unwrap(), Source::new());
    cache.scope(read(&source, 1)).await;
    down.restart();
    watch(&down, &primary, 1);
    hits(&cache, &source).await;
}

/// The line of the page about deployments.
fn acl() -> Vec<&'static str> {
    const PAGE: &str = include_str!("../../cached-redis/src/docs/deployments.md");
    let mut lines = PAGE.lines();
    let line = lines.find(|line| line.starts_with("user watcher "));
    line.expect("the user of Sentinels").split(' ').collect()
}

#[tokio::test]
async fn sentinels_have_a_login_of_their_own_and_the_servers_that_of_the_address() {
    let primary = RedisServer::start();
    primary.run::<()>(&["CONFIG", "SET", "requirepass", "data"]);
    let sentinel = watching(&primary, 1);
    sentinel.run::<()>(&[&["ACL", "SETUSER"], &acl()[1..]].concat());
    sentinel.run::<()>(&["ACL", "SETUSER", "admin", "on", ">admin", "+client"]);
    sentinel.run::<()>(&["ACL", "SETUSER", "default", "off"]);
    let builder =
        builder(url(&[sentinel.port()]).replace("//", "//:data@")).require_connection(true);
    let lacks = ConnectProblem::NoSentinel(Box::new(ConnectProblem::LoginMissing));
    assert_eq!(problem(builder.clone()).await, lacks);
    let wrong = builder
        .clone()
        .sentinel_user("watcher")
        .sentinel_password("data");
    let refused = ConnectProblem::NoSentinel(Box::new(ConnectProblem::LoginRefused));
    assert_eq!(problem(wrong).await, refused);
    let right = builder
        .sentinel_user("watcher")
        .sentinel_password("password");
    let shown = format!("{right:?}");
    assert!(
        !shown.contains("password") && !shown.contains("data"),
        "{shown}"
    );
    let cache = right.build().await.unwrap();
    hits(&cache, &Source::new()).await;
    let admin = redis::Client::open(sentinel.url_of("admin", "admin")).unwrap();
    let mut admin = admin.get_connection().unwrap();
    let subscribed = async || {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut admin).unwrap();
        list.contains(" user=watcher ") && list.contains(" sub=1 ")
    };
    eventually("the subscription", subscribed).await;
}
