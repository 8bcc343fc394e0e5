//! A type that only gains fields: where the program says so, old and new processes read each other's
//! entries. Where it does not, each loads for itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use cached_redis::codec::{Codec, CodecError};
use cached_redis::testing::{Recorded, Recorder};
use cached_redis::{Cache, Error, Format, Policy, Schema, current, redis_cached};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{World, filled, on_both_stores};

on_both_stores!(
    an_added_field_is_a_hit_where_the_attribute_says_so,
    a_named_policy_says_it_for_its_functions,
    the_builder_says_it_for_all_whose_codec_describes_itself,
    an_attribute_overrides_the_builder,
    the_values_of_a_batch_are_read_too,
    a_changed_type_updates_what_it_could_read,
    a_changed_type_is_told_what_it_replaces,
    a_codec_that_does_not_describe_itself_goes_on_comparing_and_says_so,
);

/// Old and new.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename = "User")]
pub(super) struct Old {
    id: u32,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename = "User")]
pub(super) struct New {
    id: u32,
    #[serde(default)]
    age: Option<u32>,
}

pub(super) const OLD: Old = Old { id: 1 };
pub(super) const NEW: New = New {
    id: 1,
    age: Some(36),
};
/// As the new release reads an entry of the old one.
pub(super) const READ: New = New { id: 1, age: None };

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
const ADDITIVE: Policy = POLICY.schema(Schema::Additive);

/// Both releases of one function, with options.
macro_rules! two_releases {
    ($name:ident: $($option:tt)*) => {
        mod $name {
            use super::*;

            #[redis_cached(ttl = 60, key = "additive:<of>", cache = cache, skip(cache), $($option)*)]
            pub(super) async fn old(cache: &Cache, of: &str) -> Old {
                let _ = of;
                OLD
            }

            #[redis_cached(ttl = 60, key = "additive:<of>", cache = cache, skip(cache), $($option)*)]
            pub(super) async fn new(cache: &Cache, of: &str) -> New {
                let _ = of;
                NEW
            }

            /// What each release gets after the other one has filled.
            pub(super) async fn read(cache: &Cache) -> (New, Old) {
                let fills = cache.stats().total().fills;
                old(cache, concat!(stringify!($name), ":1")).await;
                new(cache, concat!(stringify!($name), ":2")).await;
                filled(cache, fills + 2).await;
                (
                    new(cache, concat!(stringify!($name), ":1")).await,
                    old(cache, concat!(stringify!($name), ":2")).await,
                )
            }
        }
    };
}

two_releases!(json: codec = json, schema = "additive");
two_releases!(msgpack: codec = msgpack, schema = "additive");
two_releases!(named: codec = json, policy = "additive");
two_releases!(by_default:);
two_releases!(exact: schema = "exact");
two_releases!(bincode: codec = bincode);
two_releases!(foreign: codec = Tight, schema = "additive");

async fn an_added_field_is_a_hit_where_the_attribute_says_so(world: World) {
    let cache = world.cache().await;
    assert_eq!(json::read(&cache).await, (READ, OLD));
    assert_eq!(msgpack::read(&cache).await, (READ, OLD));
    assert_eq!(cache.stats().total().undecodable, 0);
}

async fn a_named_policy_says_it_for_its_functions(world: World) {
    let builder = world.builder().policy("additive", ADDITIVE);
    let cache = builder.build().await.unwrap();
    assert_eq!(named::read(&cache).await, (READ, OLD));
}

async fn described(world: &World) -> Cache {
    let builder = world.builder().codec(Format::Json);
    builder.schema(Schema::Additive).build().await.unwrap()
}

async fn the_builder_says_it_for_all_whose_codec_describes_itself(world: World) {
    let cache = described(&world).await;
    assert_eq!(by_default::read(&cache).await, (READ, OLD));
    assert_eq!(bincode::read(&cache).await, (NEW, OLD));
    assert_eq!(cache.stats().total().undecodable, 2);
}

async fn an_attribute_overrides_the_builder(world: World) {
    let cache = described(&world).await;
    assert_eq!(exact::read(&cache).await, (NEW, OLD));
    assert_eq!(cache.stats().total().undecodable, 2);
}

#[redis_cached(batch(id in ids), ttl = 60, key = "additive:batch:<id>", codec = json)]
async fn old_batch(ids: &[u32]) -> HashMap<u32, Old> {
    ids.iter().map(|id| (*id, OLD)).collect()
}

#[redis_cached(batch(id in ids), ttl = 60, key = "additive:batch:<id>", codec = json, schema = "additive")]
async fn new_batch(ids: &[u32]) -> HashMap<u32, New> {
    ids.iter().map(|id| (*id, NEW)).collect()
}

async fn the_values_of_a_batch_are_read_too(world: World) {
    let cache = world.cache().await;
    cache.scope(old_batch(&[1, 2])).await;
    filled(&cache, 2).await;
    let found = cache.scope(new_batch(&[1, 2])).await;
    assert_eq!(found, HashMap::from([(1, READ), (2, READ)]));
}

async fn a_changed_type_updates_what_it_could_read(world: World) {
    let update = async |cache: &Cache, policy| {
        let change = |user: Option<New>| Ok::<_, Error>(user.unwrap_or(NEW));
        let entry = cache.entry("additive:update").policy(&policy);
        entry.update(change).await
    };
    let exact = world.builder().codec(Format::Json).build().await.unwrap();
    assert!(exact.put(&POLICY, "additive:update", &OLD).await.unwrap());
    assert_eq!(exact.get::<New>("additive:update").await.unwrap(), None);
    let refused = update(&exact, POLICY).await;
    assert!(matches!(refused, Err(Error::Unreadable)), "{refused:?}");
    let additive = described(&world).await;
    assert_eq!(additive.get("additive:update").await.unwrap(), Some(READ));
    assert_eq!(update(&exact, ADDITIVE).await.unwrap(), READ);
    // Written anew, by this type.
    assert_eq!(exact.get("additive:update").await.unwrap(), Some(READ));

    let bincode = world.cache().await;
    let refused = update(&bincode, ADDITIVE).await;
    assert!(matches!(refused, Err(Error::Setting { .. })), "{refused:?}");
    let refused = bincode.put(&ADDITIVE, "additive:update", &OLD).await;
    assert!(matches!(refused, Err(Error::Setting { .. })), "{refused:?}");
}

async fn a_changed_type_is_told_what_it_replaces(world: World) {
    let cache = world.builder().codec(Format::Json).build().await.unwrap();
    for (policy, told) in [(POLICY, None), (ADDITIVE, Some(READ))] {
        let release = |release| {
            let entry = cache.entry("additive:previous").policy(&policy);
            entry.version(release)
        };
        let old = || async { Ok::<_, Infallible>(OLD) };
        let Ok(_) = release(1).get_or_fill(old).await;
        filled(&cache, 1).await;
        let previous = Mutex::new(None);
        let new = || async {
            let replaced = current().previous::<New>();
            *previous.lock().unwrap() = replaced.map(|replaced| replaced.value);
            Ok::<_, Infallible>(NEW)
        };
        let Ok(value) = release(2).get_or_fill(new).await;
        assert_eq!((value, previous.into_inner().unwrap()), (NEW, told));
        cache.invalidate("additive:previous").await.unwrap();
    }
}

/// JSON that does not say that it names fields.
#[derive(Clone, Copy)]
struct Tight;

impl Codec for Tight {
    fn id(&self) -> u8 {
        201
    }

    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        cached_redis::codec::Json.encode(value, out)
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        cached_redis::codec::Json.decode(bytes)
    }
}

async fn a_codec_that_does_not_describe_itself_goes_on_comparing_and_says_so(world: World) {
    let recorder = Recorder::new();
    let cache = world
        .builder()
        .recorder(recorder.clone())
        .build()
        .await
        .unwrap();
    assert_eq!(foreign::read(&cache).await, (NEW, OLD));
    assert_eq!(cache.stats().total().undecodable, 2);
    assert_eq!(recorder.count(Recorded::NotAdditive), 2);
}
