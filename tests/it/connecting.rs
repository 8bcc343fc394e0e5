//! Why there is no connection: `build` says it with a type and the address, where a connection is
//! required; else it is told, and functions run. What can never be used is refused at once.

use std::time::Duration;

use cached_redis::error::ConnectProblem;
use cached_redis::{Builder, Cache, CachedExt as _, Error, Status, redis_cached};
use tracing::Level;

use crate::support::impostor::{Impostor, bulk};
use crate::support::{Log, RedisServer, Source, eventually, in_time};

#[redis_cached(ttl = 60, key = "connecting:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

fn builder(url: impl Into<String>) -> Builder {
    let builder = Cache::builder().url(url).namespace("it");
    builder.connect_timeout(Duration::from_secs(20))
}

/// The address and the problem that `build` gives, and that its message has both.
async fn refused(builder: Builder) -> (String, ConnectProblem) {
    let error = in_time(builder.build()).await.unwrap_err();
    let shown = error.to_string();
    match error {
        Error::Connect { address, problem } => {
            assert!(shown.contains(&address) && shown.contains(&problem.to_string()));
            (address, problem)
        }
        other => panic!("{other:?}"),
    }
}

async fn problem(url: &str) -> ConnectProblem {
    let (address, problem) = refused(builder(url).require_connection(true)).await;
    assert!(url.contains(address.trim_end_matches("/0")), "{address}");
    problem
}

/// The same; and where no connection is required, it is told once and functions run.
async fn told(url: &str) -> ConnectProblem {
    let problem = problem(url).await;
    let (log, _guard) = Log::collect();
    let cache = builder(url).build().await.unwrap();
    runs_uncached(&cache).await;
    assert_eq!(
        log.count(Level::WARN, &problem.to_string()),
        1,
        "{}",
        log.text()
    );
    problem
}

async fn runs_uncached(cache: &Cache) {
    let source = Source::new();
    for _ in 0..3 {
        let (_, info) = cache.scope(read(&source, 1).with_info()).await;
        assert_eq!(info.status(), Status::Bypass);
    }
    assert!(!cache.stats().store().connected);
}

async fn hits(cache: &Cache) {
    let source = Source::new();
    let hit = async || cache.scope(read(&source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

fn info(version: &str) -> String {
    format!("# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\nrole:master\r\n")
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused_whether_or_not_a_connection_is_required() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    assert_eq!(problem(&server.url()).await, ConnectProblem::Cluster);
    assert_eq!(
        refused(builder(server.url())).await.1,
        ConnectProblem::Cluster
    );
    // It has no databases to choose from either, but that is not what is wrong.
    let with_database = format!("{}/1", server.url());
    assert_eq!(
        refused(builder(with_database)).await.1,
        ConnectProblem::Cluster
    );
}

#[tokio::test]
async fn a_sentinel_is_refused() {
    let server = RedisServer::start_with(&["--sentinel"]);
    assert_eq!(
        refused(builder(server.url())).await.1,
        ConnectProblem::Sentinel
    );
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused_to_a_login_that_may_not_ask_for_it() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    server.run::<()>(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-info"]);
    let url = server.url_of("app", "pw");
    assert_eq!(refused(builder(url)).await.1, ConnectProblem::Cluster);
}

#[tokio::test]
async fn a_server_older_than_the_steps_need_is_refused() {
    let with_hello = Impostor::answering(|words| match words {
        ["HELLO", ..] => format!(
            "*6\r\n{}{}{}{}{}{}",
            bulk("version"),
            bulk("6.2.14"),
            bulk("proto"),
            ":3\r\n",
            bulk("mode"),
            bulk("standalone")
        ),
        _ => "-NOPERM this user has no permissions\r\n".to_owned(),
    });
    let without = Impostor::answering(|words| match words {
        ["HELLO", ..] => {
            "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n".to_owned()
        }
        ["INFO", ..] => bulk(&info("5.0.14")),
        _ => "+OK\r\n".to_owned(),
    });
    for (server, version) in [(with_hello.await, "6.2.14"), (without.await, "5.0.14")] {
        let found = version.to_owned();
        assert_eq!(
            refused(builder(server.url())).await.1,
            ConnectProblem::Version { found }
        );
    }
}

#[tokio::test]
async fn a_server_that_calls_itself_valkey_is_taken() {
    let server = Impostor::answering(|words| match words {
        ["INFO", ..] => bulk(
            "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n\
             server_mode:standalone\r\nrole:master\r\nrun_id:a\r\nmaster_replid:b\r\n",
        ),
        _ => "+OK\r\n".to_owned(),
    });
    let server = server.await;
    let cache = builder(server.url()).require_connection(true);
    assert!(cache.build().await.unwrap().stats().store().connected);
}

#[tokio::test]
async fn a_server_that_asks_for_the_login_of_a_hello_it_does_not_know_is_logged_in_to() {
    let server = Impostor::answering(|words| match words {
        ["HELLO", ..] => "-NOAUTH Authentication required.\r\n".to_owned(),
        ["INFO", ..] => bulk(&info("7.2.4")),
        _ => "+OK\r\n".to_owned(),
    });
    let server = server.await;
    let url = server.url().replace("//", "//:right@");
    let cache = builder(url).require_connection(true);
    assert!(cache.build().await.unwrap().stats().store().connected);
}

#[tokio::test]
async fn what_cannot_be_used_and_comes_after_the_start_is_an_error_event_and_never_asked() {
    let mut server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    server.kill();
    let (log, _guard) = Log::collect();
    let cache = builder(server.url()).build().await.unwrap();
    server.restart();
    let told = async || log.count(Level::ERROR, &ConnectProblem::Cluster.to_string()) > 0;
    eventually("the error", told).await;
    server.reset_commands();
    runs_uncached(&cache).await;
    assert_eq!(server.commands().get("get"), None);
    assert_eq!(
        log.count(Level::ERROR, "functions run without"),
        1,
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn a_replica_is_no_store_until_it_is_promoted() {
    let server = RedisServer::start();
    server.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(told(&server.url()).await, ConnectProblem::Replica);
    let cache = builder(server.url()).build().await.unwrap();
    runs_uncached(&cache).await;
    server.promote();
    hits(&cache).await;
}

#[tokio::test]
async fn a_server_that_takes_no_more_clients_says_so() {
    let server = RedisServer::start();
    let _only = server.connect();
    server.run::<()>(&["CONFIG", "SET", "maxclients", "1"]);
    assert_eq!(told(&server.url()).await, ConnectProblem::TooManyClients);
}

#[tokio::test]
async fn a_server_in_protected_mode_says_so() {
    let denied = "-DENIED Redis is running in protected mode because protected mode is enabled\r\n";
    let server = Impostor::turning_away(denied).await;
    assert_eq!(told(&server.url()).await, ConnectProblem::Protected);
}

#[tokio::test]
async fn a_database_that_the_server_does_not_have_is_named() {
    let server = RedisServer::start();
    let url = format!("{}/99", server.url());
    assert_eq!(told(&url).await, ConnectProblem::Database);
}

#[tokio::test]
async fn a_login_that_is_missing_and_one_that_is_wrong_are_told_apart() {
    let server = RedisServer::start();
    server.run::<()>(&["CONFIG", "SET", "requirepass", "right"]);
    assert_eq!(problem(&server.url()).await, ConnectProblem::LoginMissing);
    let wrong = builder(server.url_of("default", "hunter2")).require_connection(true);
    let (address, problem) = refused(wrong).await;
    assert_eq!(problem, ConnectProblem::LoginRefused);
    assert_eq!(address, format!("{}/0", server.url()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_by_what_became_of_the_attempt() {
    let mut server = RedisServer::start();
    server.kill();
    assert_eq!(told(&server.url()).await, ConnectProblem::Refused);
    let unknown = "redis://no-such-host.invalid:6379";
    assert_eq!(problem(unknown).await, ConnectProblem::UnknownHost);
    let nowhere = "redis+unix:///no/such/redis.sock";
    assert_eq!(problem(nowhere).await, ConnectProblem::NoSocket);
    let closing = Impostor::turning_away("").await;
    assert_eq!(problem(&closing.url()).await, ConnectProblem::Closed);
    let other = Impostor::turning_away("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(problem(&other.url()).await, ConnectProblem::Protocol);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_told_as_such() {
    let server = RedisServer::start();
    server.freeze();
    let builder = builder(server.url()).require_connection(true);
    let impatient = builder.connect_timeout(Duration::from_millis(50));
    assert_eq!(refused(impatient).await.1, ConnectProblem::Timeout);
    server.thaw();
}
