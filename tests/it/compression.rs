//! `compress`: above so many bytes a value is stored in fewer, and it comes back whichever way it was written and
//! is read. What is odd about compressed bytes is a miss, and nothing is unpacked beyond the limit of entries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status, current, redis_cached, write_through};
use serde::{Deserialize, Serialize};

use crate::support::{Source, World, eventually, filled, on_both_stores, on_redis};

on_both_stores!(
    what_was_compressed_comes_back_in_every_form,
    what_was_compressed_is_kept_decoded_as_any_value,
    a_load_is_given_what_was_compressed,
    a_type_that_gained_a_field_reads_what_was_compressed,
    a_value_above_the_limit_of_entries_is_not_stored_however_small_it_would_be,
    an_entry_that_another_process_may_store_and_this_one_may_not_unpack_is_a_miss,
);
on_redis!(
    values_above_the_threshold_take_less_room_and_others_stand_as_they_are,
    the_builder_and_a_policy_say_it_for_many,
    compressed_bytes_that_were_changed_are_a_miss_or_the_value,
);

const KIB: usize = 1024;
const MINUTE: Duration = Duration::from_secs(60);

/// What takes much less room when it is compressed.
fn text(id: u64, bytes: usize) -> String {
    let words = format!("{id}, as in the row before; ");
    let mut text = words.repeat(bytes / words.len() + 1);
    text.truncate(bytes);
    text
}

#[redis_cached(ttl = 60, compress = "1 KiB", key = "packed:text:<bytes>:<id>")]
async fn packed(id: u64, bytes: usize) -> String {
    text(id, bytes)
}

/// What nothing makes smaller.
#[redis_cached(ttl = 60, compress = 0, key = "packed:noise:<id>")]
async fn noise(id: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(id);
    std::iter::repeat_with(|| random.u8(..))
        .take(4 * KIB)
        .collect()
}

/// The length of what stands under a key, and whether its header says that it is compressed.
fn stands(world: &mut World, key: &str) -> (usize, bool) {
    let bytes = world
        .redis()
        .bytes(&format!("it:{key}"))
        .expect("it was filled");
    (bytes.len(), bytes[3] & 4 != 0)
}

async fn values_above_the_threshold_take_less_room_and_others_stand_as_they_are(mut world: World) {
    let cache = world.cache().await;
    // With the length that the codec writes before it, the longer one is above the threshold.
    for bytes in [900, KIB, 64 * KIB] {
        for _ in 0..2 {
            assert_eq!(cache.scope(packed(1, bytes)).await, text(1, bytes));
        }
    }
    let first = cache.scope(noise(1)).await;
    filled(&cache, 4).await;
    assert_eq!(cache.scope(noise(1)).await, first);
    let (plain, is_packed) = stands(&mut world, "packed:text:900:1");
    assert!(plain > 900 && !is_packed, "{plain}");
    let (length, is_packed) = stands(&mut world, &format!("packed:text:{KIB}:1"));
    assert!(length < 300 && is_packed, "{length}");
    let (length, is_packed) = stands(&mut world, &format!("packed:text:{}:1", 64 * KIB));
    assert!(length < KIB && is_packed, "{length}");
    let (plain, is_packed) = stands(&mut world, "packed:noise:1");
    assert!(plain > 4 * KIB && !is_packed, "{plain}");
}

const LIMIT: u64 = 2 * KIB as u64;

#[redis_cached(ttl = 60, key = "packed:default:<id>")]
async fn by_default(id: u64) -> String {
    text(id, 4 * KIB)
}

#[redis_cached(policy = "small", key = "packed:policy:<id>", cache = cache, skip(cache))]
async fn by_policy(cache: &Cache, id: u64) -> String {
    text(id, 4 * KIB)
}

#[redis_cached(ttl = 60, compress = LIMIT, key = "packed:const:<id>")]
async fn by_constant(id: u64) -> String {
    text(id, 4 * KIB)
}

#[redis_cached(ttl = 60, compress = u64::MAX, key = "packed:never:<id>")]
async fn never(id: u64) -> String {
    text(id, 4 * KIB)
}

async fn the_builder_and_a_policy_say_it_for_many(mut world: World) {
    let small = Policy::new().ttl(MINUTE).compress(u64::MAX);
    let builder = world.builder().compress(LIMIT).policy("small", small);
    let cache = builder.build().await.unwrap();
    let calls = async {
        (
            by_default(1).await,
            by_policy(&cache, 1).await,
            by_constant(1).await,
            never(1).await,
        )
    };
    cache.scope(calls).await;
    filled(&cache, 4).await;
    let is_packed = ["default", "policy", "const", "never"]
        .map(|key| stands(&mut world, &format!("packed:{key}:1")).1);
    assert_eq!(is_packed, [true, false, true, false]);
}

#[redis_cached(ttl = 60, compress = "1 KiB", key = "packed:many:<id>", batch(id in ids))]
async fn many(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, text(*id, 4 * KIB))).collect()
}

#[write_through(ttl = 60, compress = "1 KiB", key = "packed:text:<bytes>:<id>", tags = [])]
async fn write(id: u64, bytes: usize) -> String {
    text(id + 1, bytes)
}

async fn what_was_compressed_comes_back_in_every_form(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let bytes = 8 * KIB;
    for process in [&here, &there] {
        let values = process.scope(many(&[1, 2, 3])).await;
        assert_eq!(values[&3], text(3, 4 * KIB));
        assert_eq!(process.scope(packed(1, bytes)).await, text(1, bytes));
        filled(&here, 4).await;
    }
    here.scope(write(1, bytes)).await;
    assert_eq!(there.scope(packed(1, bytes)).await, text(2, bytes));
    let policy = Policy::new().ttl(MINUTE).compress(1);
    here.put(&policy, "packed:hand", &text(4, bytes))
        .await
        .unwrap();
    let by_hand: Option<String> = there.get("packed:hand").await.unwrap();
    assert_eq!(by_hand, Some(text(4, bytes)));
    let longer = |old: Option<String>| Ok::<_, cached_redis::Error>(old.unwrap_or_default() + "!");
    let update = here.entry("packed:hand").policy(&policy);
    update.update(longer).await.unwrap();
    let by_hand: Option<String> = there.get("packed:hand").await.unwrap();
    assert_eq!(by_hand, Some(text(4, bytes) + "!"));
    let total = there.stats().total();
    assert_eq!((total.loads, total.undecodable), (0, 0), "{total:?}");
}

#[redis_cached(
    ttl = 60,
    compress = 1,
    local = 60,
    key = "packed:local:<id>",
    skip(source)
)]
async fn local(source: &Source, id: u64) -> Arc<String> {
    source.load().await;
    Arc::new(text(id, 8 * KIB))
}

#[redis_cached(
    ttl = 60,
    compress = 1,
    checked,
    key = "packed:checked:<id>",
    skip(source)
)]
async fn checked(source: &Source, id: u64) -> Arc<String> {
    source.load().await;
    Arc::new(text(id, 8 * KIB))
}

async fn what_was_compressed_is_kept_decoded_as_any_value(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let kept = async {
        eventually("both are kept", async || {
            let [a, b] = [local(&source, 1).await, local(&source, 1).await];
            let [c, d] = [checked(&source, 1).await, checked(&source, 1).await];
            assert_eq!(
                (a.as_str(), c.as_str()),
                (&*text(1, 8 * KIB), &*text(1, 8 * KIB))
            );
            Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&c, &d)
        })
        .await;
    };
    cache.scope(kept).await;
    assert_eq!(source.loads(), 2);
    let bytes = cache.stats().local().bytes;
    assert!(
        bytes > 2 * 8 * KIB as u64,
        "{bytes}: what is kept is not compressed"
    );
}

#[redis_cached(ttl = 60, compress = 1, key = "packed:previous", version = release_of, skip(source))]
async fn revalidated(source: &Source) -> String {
    match current().previous::<String>() {
        Some(previous) => previous.value + "!",
        None => text(source.version(), 8 * KIB),
    }
}

async fn release_of(source: &Source) -> u64 {
    source.version()
}

async fn a_load_is_given_what_was_compressed(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let first = cache.scope(revalidated(&source)).await;
    filled(&cache, 1).await;
    source.write();
    assert_eq!(cache.scope(revalidated(&source)).await, first + "!");
}

#[derive(Deserialize, Serialize)]
struct Narrow {
    text: String,
}

#[derive(Deserialize, Serialize)]
struct Wide {
    text: String,
    more: Option<u64>,
}

#[redis_cached(ttl = 60, compress = 1, codec = msgpack, key = "packed:shape")]
async fn narrow() -> Narrow {
    let text = text(1, 8 * KIB);
    Narrow { text }
}

#[redis_cached(ttl = 60, codec = msgpack, schema = "additive", key = "packed:shape")]
async fn wide() -> Wide {
    unreachable!("what the other type has written is read")
}

async fn a_type_that_gained_a_field_reads_what_was_compressed(world: World) {
    let cache = world.cache().await;
    let first = cache.scope(narrow()).await;
    filled(&cache, 1).await;
    let read = cache.scope(wide()).await;
    assert_eq!((read.text, read.more), (first.text, None));
}

async fn a_value_above_the_limit_of_entries_is_not_stored_however_small_it_would_be(world: World) {
    let cache = world
        .builder()
        .max_value_bytes(64 * KIB as u64)
        .build()
        .await
        .unwrap();
    let (value, info) = cache.scope(packed(1, 128 * KIB).with_info()).await;
    assert_eq!((value.len(), info.status()), (128 * KIB, Status::Miss));
    eventually("it is told", async || cache.stats().total().too_large > 0).await;
    let total = cache.stats().total();
    assert_eq!((total.fills, total.too_large), (0, 1), "{total:?}");
}

async fn an_entry_that_another_process_may_store_and_this_one_may_not_unpack_is_a_miss(
    world: World,
) {
    // In memory, the limit of the store is that of the first.
    let generous = world.cache().await;
    let strict = world
        .builder()
        .max_value_bytes(64 * KIB as u64)
        .build()
        .await
        .unwrap();
    assert_eq!(
        generous.scope(packed(1, 128 * KIB)).await,
        text(1, 128 * KIB)
    );
    filled(&generous, 1).await;
    assert_eq!(strict.scope(packed(1, 128 * KIB)).await, text(1, 128 * KIB));
    let total = strict.stats().total();
    assert_eq!((total.hits, total.loads), (0, 1), "{total:?}");
    assert!(total.undecodable > 0, "{total:?}");
}

async fn compressed_bytes_that_were_changed_are_a_miss_or_the_value(mut world: World) {
    let cache = world.cache().await;
    let bytes = 4 * KIB;
    let key = format!("it:packed:text:{bytes}:1");
    cache.scope(packed(1, bytes)).await;
    filled(&cache, 1).await;
    let entry = world.redis().bytes(&key).unwrap();
    let mut read = 0;
    for at in 48..entry.len() {
        for change in [1, 0x80, 0xFF] {
            let mut changed = entry.clone();
            changed[at] ^= change;
            world.redis().plant(&key, &changed);
            assert_eq!(
                cache.scope(packed(1, bytes)).await,
                text(1, bytes),
                "byte {at} ^ {change}"
            );
            read += 1;
        }
        world.redis().plant(&key, &entry[..at]);
        assert_eq!(
            cache.scope(packed(1, bytes)).await,
            text(1, bytes),
            "{at} bytes"
        );
        read += 1;
    }
    let total = cache.stats().total();
    assert_eq!((total.errors, total.bypasses), (0, 0), "{total:?}");
    // Few bits of a frame say nothing.
    assert!(total.undecodable > read / 2, "{total:?} of {read}");
}
