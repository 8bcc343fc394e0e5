//! What a `Serialize` leaves out or alters does not come back. A value that is not the same after
//! decoding is not kept: the second call gives what the first one gave.

use std::collections::HashMap;
use std::fmt::Debug;

use cached_redis::{Cache, Format, redis_cached, write_through};
use serde::{Deserialize, Serialize, Serializer};
use tracing::Level;

use crate::support::{Log, World, filled, landed, on_both_stores};

on_both_stores!(
    a_skipped_field_is_not_lost,
    a_masked_field_stays_as_it_was,
    a_rounded_number_stays_as_it_was,
    a_lossy_conversion_changes_nothing,
    an_optional_value_is_compared_too,
    the_values_of_a_batch_are_compared_one_by_one,
    what_is_written_through_is_compared_too,
    a_value_that_differs_from_itself_is_kept,
    a_type_that_cannot_be_compared_is_kept,
    a_value_of_a_generic_function_is_compared_where_its_type_can_be,
);

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Account {
    name: String,
    #[serde(skip)]
    token: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Card {
    #[serde(serialize_with = "masked")]
    number: String,
}

fn masked<S: Serializer>(number: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!(
        "****{}",
        &number[number.len().saturating_sub(4)..]
    ))
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Price {
    #[serde(serialize_with = "rounded")]
    euros: f64,
}

fn rounded<S: Serializer>(euros: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(euros.round())
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(into = "String", from = "String")]
struct Trimmed(String);

impl From<Trimmed> for String {
    fn from(Trimmed(text): Trimmed) -> Self {
        text.trim().to_owned()
    }
}

impl From<String> for Trimmed {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// As `Account`, and nobody can tell two of them apart.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Opaque {
    name: String,
    #[serde(skip)]
    token: String,
}

fn secret() -> Account {
    Account {
        name: "Ada".to_owned(),
        token: "secret".to_owned(),
    }
}

fn card() -> Card {
    Card {
        number: "4000123456789010".to_owned(),
    }
}

/// A function that returns this, and calls of it in every codec.
macro_rules! in_every_codec {
    ($name:ident: $type:ty = $value:expr) => {
        mod $name {
            use super::*;

            #[redis_cached(ttl = 60, key = "hidden:<of>:<codec:?>")]
            async fn load(of: &str, codec: Format) -> $type {
                assert_eq!(of, stringify!($name));
                let _ = codec;
                $value
            }

            pub(super) async fn stays(world: &World) {
                for codec in [Format::Bincode, Format::Msgpack, Format::Json] {
                    let cache = world.builder().codec(codec).build().await.unwrap();
                    for calls in 1..=3 {
                        let value = cache.scope(load(stringify!($name), codec)).await;
                        assert_eq!(value, $value, "{codec:?}");
                        not_kept(&cache, calls);
                    }
                }
            }
        }
    };
}

in_every_codec!(skipped: Account = secret());
in_every_codec!(masked_card: Card = card());
in_every_codec!(rounded_price: Price = Price { euros: 0.4 });
in_every_codec!(trimmed: Trimmed = Trimmed(" x ".to_owned()));
in_every_codec!(optional: Result<Option<Account>, String> = Ok(Some(secret())));

/// As many values were loaded as could not be kept.
fn not_kept(cache: &Cache, values: u64) {
    let stats = cache.stats().total();
    assert_eq!(
        (stats.loads, stats.unstorable, stats.fills, stats.hits),
        (values, values, 0, 0),
        "{stats:?}"
    );
}

async fn a_skipped_field_is_not_lost(world: World) {
    skipped::stays(&world).await;
}

async fn a_masked_field_stays_as_it_was(world: World) {
    masked_card::stays(&world).await;
}

async fn a_rounded_number_stays_as_it_was(world: World) {
    rounded_price::stays(&world).await;
}

async fn a_lossy_conversion_changes_nothing(world: World) {
    trimmed::stays(&world).await;
}

async fn an_optional_value_is_compared_too(world: World) {
    optional::stays(&world).await;
}

#[redis_cached(batch(id in ids), ttl = 60, key = "hidden:batch:<id>")]
async fn accounts(ids: &[u32]) -> HashMap<u32, Account> {
    let account = |id: &u32| match id % 2 {
        0 => Account::default(),
        _ => secret(),
    };
    ids.iter().map(|id| (*id, account(id))).collect()
}

async fn the_values_of_a_batch_are_compared_one_by_one(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        let found = cache.scope(accounts(&[1, 2])).await;
        assert_eq!((&found[&1], &found[&2]), (&secret(), &Account::default()));
        landed(&cache, 1).await;
    }
    let stats = cache.stats().total();
    assert_eq!(
        (stats.fills, stats.unstorable, stats.hits),
        (1, 3, 2),
        "{stats:?}"
    );
}

#[redis_cached(ttl = 60, key = "hidden:written:<id>")]
async fn account(id: u32) -> Account {
    let _ = id;
    secret()
}

#[write_through(ttl = 60, key = "hidden:written:<id>", tags = [])]
async fn set_account(id: u32) -> Account {
    let _ = id;
    secret()
}

async fn what_is_written_through_is_compared_too(world: World) {
    let cache = world.cache().await;
    for _ in 0..2 {
        assert_eq!(cache.scope(set_account(1)).await, secret());
        assert_eq!(cache.scope(account(1)).await, secret());
    }
    assert_eq!(cache.stats().total().hits, 0);
}

/// Calls three times: once for the result, then for hits.
async fn kept<T: Debug>(cache: &Cache, call: impl AsyncFn() -> T) -> T {
    cache.scope(call()).await;
    filled(cache, 1).await;
    cache.scope(call()).await;
    let value = cache.scope(call()).await;
    let stats = cache.stats().total();
    assert_eq!((stats.loads, stats.hits), (1, 2), "{stats:?}");
    value
}

#[redis_cached(ttl = 60, key = "hidden:nan")]
async fn not_a_number() -> Vec<f64> {
    vec![1.5, f64::NAN]
}

async fn a_value_that_differs_from_itself_is_kept(world: World) {
    let cache = world.cache().await;
    let value = kept(&cache, async || not_a_number().await).await;
    assert!(value[0] == 1.5 && value[1].is_nan());
}

#[redis_cached(ttl = 60, key = "hidden:opaque")]
async fn opaque() -> Opaque {
    Opaque {
        name: "Ada".to_owned(),
        token: "secret".to_owned(),
    }
}

async fn a_type_that_cannot_be_compared_is_kept(world: World) {
    let cache = world.cache().await;
    let value = kept(&cache, async || opaque().await).await;
    assert_eq!((&*value.name, &*value.token), ("Ada", ""));
}

#[redis_cached(ttl = 60, key = "hidden:generic:<N>", skip(value, T))]
async fn generic<T, const N: usize>(value: T) -> T
where
    T: PartialEq + Serialize + serde::de::DeserializeOwned,
{
    value
}

async fn a_value_of_a_generic_function_is_compared_where_its_type_can_be(world: World) {
    let cache = world.cache().await;
    for calls in 1..=2 {
        assert_eq!(cache.scope(generic::<_, 1>(secret())).await, secret());
        not_kept(&cache, calls);
    }
}

#[tokio::test]
async fn one_warning_says_what_is_lost_and_recommends_no_codec_that_loses_it() {
    #[redis_cached(ttl = 60, key = "hidden:warned:<id>")]
    async fn warned(id: u32) -> Account {
        let _ = id;
        secret()
    }

    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    for id in 0..3 {
        cache.scope(warned(id)).await;
    }
    assert_eq!(log.warnings(), 1, "{}", log.text());
    assert_eq!(log.count(Level::WARN, "warned"), 1, "{}", log.text());
    assert_eq!(log.count(Level::WARN, "leaves out"), 1, "{}", log.text());
    assert_eq!(log.count(Level::WARN, "msgpack"), 0, "{}", log.text());
    assert_eq!(log.count(Level::WARN, "secret"), 0, "{}", log.text());
}
