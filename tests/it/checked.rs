//! `checked`: what is kept decoded is served only while Redis says that it stands.

use std::collections::HashMap;
use std::sync::Arc;

use cached_redis::{Cache, CachedExt as _, Policy, Status, invalidates, redis_cached};

use crate::support::{Failed, Source, World, eventually, filled, on_both_stores};

on_both_stores!(
    a_hit_asks_whether_the_value_stands_and_decodes_nothing,
    what_another_process_changes_is_seen_at_once,
    values_of_a_batch_are_checked,
    it_takes_precedence_over_local,
    an_entry_by_hand_is_checked,
    what_has_gone_is_loaded,
);

type Text = Result<Arc<String>, Failed>;

#[redis_cached(ttl = 60, checked, key = "checked:<id>", tags = ["checked:<id>", "checked"], skip(source))]
async fn text(source: &Source, id: u64) -> Text {
    let version = source.try_load().await.ok_or(Failed)?;
    Ok(Arc::new(format!("{version}, {id}, {}", "x".repeat(16_000))))
}

/// The value and the status of a call.
macro_rules! status {
    ($call:expr) => {{
        let (value, info) = $call.with_info().await;
        (value, info.status())
    }};
}

/// A value that the cache has kept.
async fn kept(source: &Source, id: u64) -> Arc<String> {
    let mut last = text(source, id).await.unwrap();
    eventually("a value that is kept", async || {
        let next = text(source, id).await.unwrap();
        Arc::ptr_eq(&next, &std::mem::replace(&mut last, next.clone()))
    })
    .await;
    last
}

async fn a_hit_asks_whether_the_value_stands_and_decodes_nothing(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let calls = async {
        let value = kept(&source, 7).await;
        if let Some(server) = world.server() {
            server.reset_commands();
        }
        let (again, status) = status!(text(&source, 7));
        assert_eq!(status, Status::Hit, "Redis was asked");
        assert!(Arc::ptr_eq(&again.unwrap(), &value));
        if let Some(server) = world.server() {
            let commands = server.commands();
            assert_eq!(commands.get("getrange"), Some(&4), "{commands:?}");
            assert!(!commands.contains_key("get") && !commands.contains_key("mget"));
        }
    };
    cache.scope(calls).await;
    assert_eq!(source.loads(), 1);
}

#[invalidates("checked:<id>")]
async fn rename(id: u64) {
    let _ = id;
}

async fn what_another_process_changes_is_seen_at_once(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let source = Source::new();
    for way in ["key", "tag", "attribute", "function"] {
        here.scope(kept(&source, 7)).await;
        let version = source.write();
        match way {
            "key" => drop(there.invalidate("checked:7").await.unwrap()),
            "tag" => drop(there.invalidate_tag("checked").await.unwrap()),
            "attribute" => there.scope(rename(7)).await,
            _ => drop(there.clear("checked::text").await.unwrap()),
        }
        let new = here.scope(text(&source, 7)).await.unwrap();
        assert!(new.starts_with(&format!("{version},")), "{way}");
    }
    here.scope(kept(&source, 7)).await;
    let version = source.write();
    there.scope(text(&source, 7).refreshed()).await.unwrap();
    filled(&there, 1).await;
    let new = here.scope(text(&source, 7)).await.unwrap();
    assert!(new.starts_with(&format!("{version},")), "replaced");
}

#[redis_cached(batch(id in ids), ttl = 60, checked, key = "checked:one:<id>", tags = "checked:<id>", skip(source))]
async fn many(source: &Source, ids: &[u64]) -> HashMap<u64, String> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version.to_string())).collect()
}

async fn values_of_a_batch_are_checked(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let source = Source::new();
    for _ in 0..3 {
        assert_eq!(here.scope(many(&source, &[1, 2])).await[&1], "1");
        filled(&here, 2).await;
    }
    let version = source.write();
    there.invalidate("checked:one:2").await.unwrap();
    let values = here.scope(many(&source, &[1, 2])).await;
    assert_eq!((&*values[&1], &*values[&2]), ("1", &*version.to_string()));
}

#[redis_cached(ttl = 60, local = 60, checked, key = "checked:both", skip(source))]
async fn both(source: &Source) -> u64 {
    source.load().await
}

async fn it_takes_precedence_over_local(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let source = Source::new();
    for _ in 0..4 {
        assert_eq!(here.scope(both(&source)).await, 1);
        filled(&here, 1).await;
    }
    let version = source.write();
    there.invalidate("checked:both").await.unwrap();
    assert_eq!(here.scope(both(&source)).await, version);
    assert_eq!(here.stats().total().local_hits, 0);
}

const POLICY: Policy = Policy::new()
    .ttl(std::time::Duration::from_secs(60))
    .checked();

async fn an_entry_by_hand_is_checked(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let read = async |cache: &Cache, n: u64| {
        let entry = cache.entry("checked-by-hand:n").policy(&POLICY);
        entry
            .get_or_fill(async || Ok::<_, Failed>(n))
            .await
            .unwrap()
    };
    for _ in 0..3 {
        assert_eq!(read(&here, 1).await, 1);
        filled(&here, 1).await;
    }
    assert!(
        there
            .put(&POLICY, "checked-by-hand:n", &2_u64)
            .await
            .unwrap()
    );
    assert_eq!(read(&here, 3).await, 2);
}

async fn what_has_gone_is_loaded(mut world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(kept(&source, 7)).await;
    let version = source.write();
    if world.server().is_none() {
        return;
    }
    world.redis().run::<()>(&["FLUSHALL"]);
    let new = cache.scope(text(&source, 7)).await.unwrap();
    assert!(new.starts_with(&format!("{version},")));
}
