//! Bytes under our key that are no entry of this function are a miss: counted, replaced through
//! the normal path, and never an error or a huge allocation.

use cached_redis::redis_cached;
use serde::{Deserialize, Serialize};

use crate::support::{World, eventually, filled, on_both_stores, on_redis};

on_redis!(
    whatever_is_no_entry_is_a_miss_and_replaced,
    every_truncation_of_an_entry_is_a_miss,
    every_single_changed_header_byte_gives_the_value_or_a_miss,
    huge_length_prefixes_are_misses,
    foreign_bytes_without_a_ttl_are_replaced_by_an_entry_with_one,
    a_value_of_another_redis_type_is_left_untouched_and_bypassed,
    get_by_hand_takes_foreign_bytes_for_an_absence,
);
on_both_stores!(an_entry_of_another_codec_is_a_miss);

const KEY: &str = "it:foreign-bytes:1";

/// Where the header has what.
const LAYOUT: usize = 2;
const FLAGS: usize = 3;
const FINGERPRINT: usize = 4;
const TOKEN: std::ops::Range<usize> = 8..24;
const EXTENSIONS: usize = 44;
const CODEC: usize = 46;
const HEADER: usize = 48;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct User {
    id: u64,
    name: String,
    tags: Vec<String>,
}

fn ada(id: u64) -> User {
    User {
        id,
        name: "Ada".to_owned(),
        tags: vec!["x".to_owned()],
    }
}

#[redis_cached(ttl = 60, key = "foreign-bytes:<id>")]
async fn read(id: u64) -> User {
    ada(id)
}

#[redis_cached(ttl = 60, key = "foreign-bytes:<id>", codec = msgpack)]
async fn read_msgpack(id: u64) -> User {
    ada(id)
}

#[redis_cached(ttl = 60, key = "foreign-bytes:<id>", codec = json)]
async fn read_json(id: u64) -> User {
    ada(id)
}

/// The bytes of a sound entry.
async fn entry(world: &mut World) -> Vec<u8> {
    let cache = world.cache().await;
    cache.scope(read(1)).await;
    filled(&cache, 1).await;
    world.redis().bytes(KEY).expect("it was filled")
}

/// Plants each of `plants`, and asserts that it is a miss and that an entry stands there then.
async fn all_are_replaced(mut world: World, plants: Vec<Vec<u8>>) {
    let cache = world.cache().await;
    for (count, bytes) in (1..).zip(&plants) {
        let start = &bytes[..bytes.len().min(60)];
        world.redis().plant(KEY, bytes);
        assert_eq!(cache.scope(read(1)).await, ada(1), "{start:x?}");
        let replaced = async || cache.stats().total().fills == count;
        eventually("the fill", replaced).await;
        assert_eq!(cache.scope(read(1)).await, ada(1));
        let stats = cache.stats().total();
        assert_eq!(
            (stats.loads, stats.hits),
            (count, count),
            "{start:x?}: {stats:?}"
        );
        assert!(stats.undecodable >= count, "{start:x?}: {stats:?}");
        assert_eq!(stats.errors, 0, "{start:x?}");
    }
}

fn changed(entry: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut entry = entry.to_vec();
    entry[at] = byte;
    entry
}

async fn whatever_is_no_entry_is_a_miss_and_replaced(mut world: World) {
    let entry = entry(&mut world).await;
    let garbage: Vec<u8> = (0..500_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut plants = vec![
        Vec::new(),
        b"hello".to_vec(),
        br#"{"id":1,"name":"Ada","tags":[]}"#.to_vec(),
        vec![0; 48],
        vec![0xCA; 200],
        garbage.clone(),
        [&entry[..HEADER], &garbage].concat(),
        [&entry[..], b"leftover"].concat(),
        changed(&entry, 0, 0xCB),
        changed(&entry, 1, b'X'),
        changed(&entry, LAYOUT, 2),
        changed(&entry, LAYOUT, 255),
        changed(&entry, FINGERPRINT, entry[FINGERPRINT] ^ 1),
        changed(&entry, EXTENSIONS, 8),
        changed(&entry, EXTENSIONS + 1, 255),
        changed(&entry, CODEC, 0),
        changed(&entry, CODEC, 200),
    ];
    plants.extend([1, 2, 4, 128].map(|flag| changed(&entry, FLAGS, flag)));
    all_are_replaced(world, plants).await;
}

async fn every_truncation_of_an_entry_is_a_miss(mut world: World) {
    let entry = entry(&mut world).await;
    let truncations = (0..entry.len()).map(|length| entry[..length].to_vec());
    all_are_replaced(world, truncations.collect()).await;
}

async fn every_single_changed_header_byte_gives_the_value_or_a_miss(mut world: World) {
    let entry = entry(&mut world).await;
    // Kinds that bar readers on purpose are another matter.
    let positions = (0..HEADER).filter(|at| *at != 1 && !TOKEN.contains(at));
    let cache = world.cache().await;
    for at in positions {
        for change in [1, 0x10, 0x80, 0xFF] {
            world
                .redis()
                .plant(KEY, &changed(&entry, at, entry[at] ^ change));
            assert_eq!(cache.scope(read(1)).await, ada(1), "byte {at} ^ {change}");
        }
    }
    let stats = cache.stats().total();
    assert_eq!((stats.errors, stats.bypasses), (0, 0), "{stats:?}");
}

async fn huge_length_prefixes_are_misses(mut world: World) {
    let entry = entry(&mut world).await;
    let header = &entry[..HEADER];
    // The number of the user, then a name that claims to be long: 512 MB, and all there is.
    let bincode = |length: &[u8]| [header, &[1], length, b"Ada"].concat();
    let msgpack_header = changed(header, CODEC, msgpack_codec(&mut world).await);
    let msgpack = |value: &[u8]| [&msgpack_header, value].concat();
    let plants = vec![
        bincode(&[&[252][..], &0x2000_0000_u32.to_le_bytes()].concat()),
        bincode(&[&[253][..], &u64::MAX.to_le_bytes()].concat()),
        bincode(&[&[254][..], &u128::MAX.to_le_bytes()].concat()),
        msgpack(&[0xDD, 0x20, 0, 0, 0]),
        msgpack(&[0xDF, 0xFF, 0xFF, 0xFF, 0xFF]),
        msgpack(&[0xDB, 0x20, 0, 0, 0, b'A']),
        msgpack(&[0xC6, 0xFF, 0xFF, 0xFF, 0xFF]),
        // Nesting without end.
        msgpack(&[0x91; 100_000]),
    ];
    all_are_replaced(world, plants).await;
}

async fn msgpack_codec(world: &mut World) -> u8 {
    let cache = world.cache().await;
    cache.scope(read_msgpack(2)).await;
    filled(&cache, 1).await;
    world
        .redis()
        .bytes("it:foreign-bytes:2")
        .expect("it was filled")[CODEC]
}

async fn foreign_bytes_without_a_ttl_are_replaced_by_an_entry_with_one(mut world: World) {
    let cache = world.cache().await;
    world.redis().plant(KEY, b"for ever");
    assert!(world.redis().lives()[KEY] < 0);
    cache.scope(read(1)).await;
    filled(&cache, 1).await;
    assert!(world.redis().lives()[KEY] > 0);
}

async fn a_value_of_another_redis_type_is_left_untouched_and_bypassed(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.run::<()>(&["RPUSH", KEY, "a", "b"]);
    for calls in 1..=3 {
        assert_eq!(cache.scope(read(1)).await, ada(1));
        let stats = cache.stats().total();
        assert_eq!((stats.loads, stats.bypasses), (calls, calls), "{stats:?}");
        assert!(stats.errors >= calls, "{stats:?}");
    }
    assert_eq!(
        server.run::<Vec<String>>(&["LRANGE", KEY, "0", "-1"]),
        ["a", "b"]
    );
    // Removing it is the user's wish, though.
    cache.invalidate("foreign-bytes:1").await.unwrap();
    cache.scope(read(1)).await;
    filled(&cache, 1).await;
}

async fn get_by_hand_takes_foreign_bytes_for_an_absence(mut world: World) {
    let cache = world.cache().await;
    world.redis().plant(KEY, b"hello");
    assert_eq!(cache.get::<User>("foreign-bytes:1").await.unwrap(), None);
    cache.scope(read(1)).await;
    filled(&cache, 1).await;
    assert_eq!(
        cache.get::<User>("foreign-bytes:1").await.unwrap(),
        Some(ada(1))
    );
    assert_eq!(
        cache.get::<u8>("foreign-bytes:1").await.unwrap(),
        None,
        "another type"
    );
}

async fn an_entry_of_another_codec_is_a_miss(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        for _ in 0..2 {
            assert_eq!(cache.scope(read(3)).await, ada(3));
        }
        for _ in 0..2 {
            assert_eq!(cache.scope(read_json(3)).await, ada(3));
        }
    }
    let stats = cache.stats().total();
    assert_eq!((stats.undecodable, stats.errors), (5, 0), "{stats:?}");
}
