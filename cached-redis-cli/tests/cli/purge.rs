//! `purge`: what it removes, and what it does not.

use std::collections::BTreeMap;

use cached_redis::{Cache, CachedExt as _, Status};

use crate::shop::{Shop, get_user, masked, members, open};
use crate::support::RedisServer;

/// All keys and their bytes, but for the times.
fn stands(server: &RedisServer) -> BTreeMap<String, Option<Vec<u8>>> {
    let keys = server.lives().into_keys();
    keys.map(|key| (key.clone(), server.bytes(&key))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let (server, shop) = open().await;
    let (before, size): (_, u64) = (stands(&server), server.run(&["DBSIZE"]));
    for (words, told) in [
        (
            "key user:42 user:1",
            "would remove: 2 keys (1 key there)\nuser:42",
        ),
        (
            "tag team:7 team:8",
            "would remove: entries that carry 1 tag of 2\nteam:7",
        ),
        (
            "pattern user:*",
            "would remove: keys that match user:* (1 key there)\nuser:42",
        ),
        (
            "function members",
            "would remove: entries of cli::shop::members (1 key there)\nteam:7:members",
        ),
        (
            "namespace",
            "would remove: everything in the namespace (3 keys there)\nfind:nobody\nteam:7:members\nuser:42",
        ),
    ] {
        let printed = shop.prints(&format!("purge {words} --dry-run"));
        assert_eq!(masked(&printed), told, "{words}");
    }
    assert_eq!(stands(&server), before);
    assert_eq!(server.run::<u64>(&["DBSIZE"]), size);
}

async fn is_cached(cache: &Cache) -> [bool; 2] {
    let status = async {
        let (_, user) = get_user(42).with_info().await;
        let (_, team) = members(7).with_info().await;
        [user, team].map(|info| info.status() == Status::Hit)
    };
    cache.scope(status).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_is_loaded_anew() {
    for (words, cached) in [
        ("key user:42", [false, true]),
        ("tag team:7", [true, false]),
        ("pattern user:*", [false, true]),
        ("function get_user", [false, true]),
        ("function members", [true, false]),
        ("namespace --yes", [false, false]),
    ] {
        let (_server, shop) = open().await;
        assert_eq!(is_cached(&shop.cache).await, [true, true]);
        let printed = shop.prints(&format!("purge {words}"));
        assert!(printed.starts_with("removed: "), "{printed}");
        assert_eq!(is_cached(&shop.cache).await, cached, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_refused_without_yes() {
    let (server, shop) = open().await;
    let before = stands(&server);
    let refused = shop.run("purge namespace");
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.err,
        "error: nothing was removed: everything in the namespace would go\n\
         help: --dry-run tells what that is, and --yes removes it\n"
    );
    let pattern = shop.run("purge pattern *");
    assert!(
        pattern.err.contains("`purge namespace` removes everything"),
        "{}",
        pattern.err
    );
    assert_eq!(stands(&server), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_refused_without_yes_too() {
    let (server, shop) = open().await;
    for at in 0..1001 {
        server.plant(&format!("shop:many:{at}"), b"x");
    }
    let refused = shop.run("purge pattern many:*");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--yes removes it"), "{}", refused.err);
    shop.prints("purge pattern many:* --yes");
    assert!(server.lives().into_keys().all(|key| !key.contains("many")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tombstones_of_writers_under_way_are_spared() {
    let server = RedisServer::start();
    let shop = Shop::of(&server.url(), |builder| builder.guarded(true)).await;
    shop.fill().await;
    let guard = shop.cache.begin_write(["user:42"]).await.unwrap();
    for words in [
        "key user:42",
        "pattern user:*",
        "function get_user",
        "namespace --yes",
    ] {
        shop.prints(&format!("purge {words}"));
        let told = shop.json("inspect user:42");
        assert_eq!(told["standing"]["kind"], "tombstone", "{words}");
        assert_eq!(told["standing"]["writers"], 1);
    }
    drop(guard);
}
