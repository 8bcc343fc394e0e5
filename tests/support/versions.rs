//! Two versions of a program that read one key, between which a type has changed.

use cached_redis::{Cache, Format};

use super::World;

/// Two modules of one type `User` each, both read under the same key by every codec. What is the same
/// in both stands `around`, and is given the part that has changed.
macro_rules! two_versions {
    (
        $change:ident
        around { $($around:item)+ } holds |$part:ident| $truth:expr;
        old { $($old:item)+ } holds $old_part:expr;
        new { $($new:item)+ } holds $new_part:expr;
    ) => {
        $crate::support::two_versions! {
            $change
            old { $($around)+ $($old)+ } holds { let $part = $old_part; $truth };
            new { $($around)+ $($new)+ } holds { let $part = $new_part; $truth };
        }
    };
    ($change:ident old { $($old:item)+ } holds $old_truth:expr; new { $($new:item)+ } holds $new_truth:expr;) => {
        mod $change {
            $crate::support::two_versions!(@version old $change { $($old)+ } $old_truth);
            $crate::support::two_versions!(@version new $change { $($new)+ } $new_truth);

            /// Reads as both versions, in turn, again and again.
            pub(super) async fn read_by_both(
                cache: &cached_redis::Cache,
                codec: cached_redis::Format,
            ) {
                for _ in 0..3 {
                    cache.scope(old::read(codec)).await;
                    cache.scope(new::read(codec)).await;
                }
            }
        }
    };
    (@version $version:ident $change:ident { $($item:item)+ } $truth:expr) => {
        mod $version {
            #[allow(unused_imports)]
            use std::collections::BTreeMap;

            use cached_redis::{Format, redis_cached};
            use serde::{Deserialize, Serialize};

            $(
                #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
                $item
            )+

            fn truth() -> User {
                $truth
            }

            #[redis_cached(ttl = 60, key = "versions:<of>:<codec:?>")]
            async fn user(of: &str, codec: Format) -> User {
                assert_eq!(of, stringify!($change));
                let _ = codec;
                truth()
            }

            pub(super) async fn read(codec: Format) {
                for _ in 0..2 {
                    assert_eq!(user(stringify!($change), codec).await, truth());
                }
            }
        }
    };
}

/// A test on both stores of each change: in every codec, each version gets what it has loaded itself.
macro_rules! versions_meet {
    ($($name:ident of $change:ident),+ $(,)?) => {
        $crate::support::on_both_stores!($($name),+);
        $(
            async fn $name(world: $crate::support::World) {
                $crate::support::versions::meet(&world, $change::read_by_both).await;
            }
        )+
    };
}

pub(crate) use {two_versions, versions_meet};

pub(crate) async fn meet(world: &World, read_by_both: impl AsyncFn(&Cache, Format)) {
    for codec in [Format::Bincode, Format::Msgpack, Format::Json] {
        let cache = world.builder().codec(codec).build().await.unwrap();
        read_by_both(&cache, codec).await;
        let stats = cache.stats().total();
        assert!(
            stats.undecodable > 0,
            "{codec:?}: the versions met: {stats:?}"
        );
        assert_eq!((stats.errors, stats.unstorable), (0, 0), "{stats:?}");
    }
}
