//! `doctor`: a healthy server, and one with all that it looks for.

use cached_redis::OnFailover;
use serde_json::Value;

use crate::shop::{Shop, find, get_user, open};
use crate::support::sentinel::Watched;
use crate::support::{RedisServer, eventually};

/// The findings of a level: what was looked at.
fn checks(diagnosis: &Value, level: &str) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    let of_level = findings.filter(|it| it["level"] == level);
    of_level
        .map(|it| it["check"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_has_nothing_to_complain_of() {
    let server =
        RedisServer::start_with(&["--maxmemory", "1gb", "--maxmemory-policy", "volatile-lru"]);
    let shop = Shop::at(&server.url()).await;
    shop.fill().await;
    let words = "doctor --uses tags,guard,local,lock,events,durable-events,write-behind";
    let diagnosis = shop.json(words);
    assert!(checks(&diagnosis, "error").is_empty(), "{diagnosis:#}");
    // On a busy machine a round trip may take long.
    let warnings = checks(&diagnosis, "warning");
    assert!(
        warnings.iter().all(|it| it == "latency" || it == "advice"),
        "{diagnosis:#}"
    );
    let told = shop.prints(words);
    for part in [
        "memory: ",
        "eviction: volatile-lru",
        "persistence: none",
        "protocol: RESP3",
        "login: default may run all",
    ] {
        assert!(told.contains(&format!("ok       {part}")), "{part}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoilt_server_is_told_with_remedies_and_an_exit_code() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "volatile-ttl", "--save", "60 1"]);
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "100mb"]);
    server.run::<()>(&["CONFIG", "SET", "timeout", "300"]);
    server.run::<()>(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">pw",
        "~*",
        "&*",
        "+@all",
        "-unlink",
        "-client|tracking",
    ]);
    let shop = Shop::at(&server.url_of("app", "pw")).await;
    shop.fill().await;
    server.plant("shop:odd", b"foreign");
    server.run::<()>(&["PERSIST", "shop:user:42"]);
    server.run::<()>(&["SET", "shop:odd", "foreign", "EX", "100"]);
    shop.prints("mode find off");

    let words = "doctor --uses guard,local,update --on-failover ttl";
    let done = shop.run(words);
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    for part in [
        "error    eviction: volatile-ttl: the tombstones of writers in two phases go first",
        "error    eviction: volatile-ttl: values that live here alone may go",
        "warning  persistence: snapshots (60 1)",
        "error    login: app may not run UNLINK on shop:*: invalidations are lost",
        "         -> ACL SETUSER app +unlink ~shop:*",
        "error    login: app may not run CLIENT TRACKING",
        "note     timeout: the server closes connections that are idle for 300 s",
        "warning  foreign: not written by the cache: 1 key, such as odd",
        "warning  endless: without a TTL, which the cache never does: 1 key, such as user:42",
        "note     mode: cli::shop::find is off",
    ] {
        assert!(done.out.contains(part), "{part}: {}", done.out);
    }
    assert_eq!(shop.json(words)["level"], "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_differ_in_epochs_are_told_of() {
    let server = RedisServer::start();
    let with = |builder: cached_redis::Builder| builder.on_failover(OnFailover::Epoch);
    let (bare, epochs) = (
        Shop::at(&server.url()).await,
        Shop::of(&server.url(), with).await,
    );
    bare.cache.scope(get_user(1)).await;
    let told = bare.prints("doctor");
    assert!(!told.contains("epochs: "), "{told}");
    epochs.cache.scope(find("2")).await;
    let filled = async || epochs.cache.stats().total().fills == 1;
    eventually("the fill", filled).await;
    let told = bare.prints("doctor");
    let finding = "warning  epochs: 1 entry has an epoch, and 1 none";
    assert!(told.contains(finding), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_is_asked_how_many_replicas_it_cannot_do_without() {
    let watched = Watched::start().await;
    let shop = Shop::at(&watched.url()).await;
    let primary = &watched.servers[0];
    let finding = |told: &str| {
        let line = told
            .lines()
            .find(|line| line.contains("min-replicas-to-write: "));
        line.map(|line| line[..33].to_owned())
    };
    let least = |number| primary.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", number]);
    let told = shop.prints("doctor");
    assert_eq!(finding(&told).unwrap(), "note     min-replicas-to-write: 0");
    least("1");
    let told = shop.prints("doctor");
    assert_eq!(finding(&told).unwrap(), "ok       min-replicas-to-write: 1");

    let alone = RedisServer::start();
    alone.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "2"]);
    let shop = Shop::at(&alone.url()).await;
    let done = shop.run("doctor");
    assert_eq!(
        finding(&done.out).unwrap(),
        "error    min-replicas-to-write: 2"
    );
    assert_eq!(done.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_changes_nothing() {
    let (server, shop) = open().await;
    let keys = || server.lives().into_keys().collect::<Vec<_>>();
    let before = keys();
    shop.run("doctor --uses local,events,durable-events");
    assert_eq!(keys(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_brings_back_what_programs_do_not_repeat() {
    let server = RedisServer::start_with(&["--appendonly", "yes"]);
    let shop = Shop::at(&server.url()).await;
    for (words, told) in [
        ("doctor --on-failover ttl", "warning  persistence: a log"),
        ("doctor --on-failover replay", "ok       persistence: a log"),
    ] {
        let printed = shop.prints(words);
        assert!(printed.contains(told), "{words}: {printed}");
    }
}
