//! What an older release has written goes with its tags, and what is made of it goes with them too, when
//! a newer release reads it.

use cached_redis::{Cache, redis_cached};

use super::additive_schema::{NEW, New, OLD, Old, READ};
use crate::support::{World, filled, on_both_stores};

on_both_stores!(
    what_an_older_release_has_tagged_is_read_until_its_tag_is_invalidated,
    what_was_written_before_a_release_gained_a_tag_is_not_read,
    a_result_of_an_older_release_goes_with_the_tags_of_its_inner_calls,
    a_result_made_of_what_an_older_release_has_written_goes_with_the_tags_of_that,
);

/// One function that is tagged, one that is in the newer release only, and one that calls the first.
macro_rules! release {
    ($release:ident: $type:ident = $truth:ident, $($gained:tt)*) => {
        mod $release {
            use super::*;

            #[redis_cached(
                ttl = 60, key = "additive:tagged:<id>", tags = "additive:<id>", codec = json,
                schema = "additive", cache = cache, skip(cache)
            )]
            pub(super) async fn tagged(cache: &Cache, id: u32) -> $type {
                let _: u32 = id;
                $truth
            }

            #[redis_cached(
                ttl = 60, key = "additive:gaining:<id>", codec = json, schema = "additive", cache = cache,
                skip(cache), $($gained)*
            )]
            pub(super) async fn gaining(cache: &Cache, id: u32) -> $type {
                let _: u32 = id;
                $truth
            }

            #[redis_cached(
                ttl = 60, key = "additive:outer:<id>", codec = json, schema = "additive", cache = cache,
                skip(cache)
            )]
            pub(super) async fn outer(cache: &Cache, id: u32) -> $type {
                tagged(cache, id).await
            }
        }
    };
}

release!(older: Old = OLD,);
release!(newer: New = NEW, tags = "additive:<id>");

/// A process of each release.
async fn processes(world: &World) -> [Cache; 2] {
    [world.patient_cache().await, world.patient_cache().await]
}

async fn invalidate(cache: &Cache) {
    cache.invalidate_tag("additive:1").await.unwrap();
}

async fn what_an_older_release_has_tagged_is_read_until_its_tag_is_invalidated(world: World) {
    let [old, new] = processes(&world).await;
    older::tagged(&old, 1).await;
    filled(&old, 1).await;
    assert_eq!(newer::tagged(&new, 1).await, READ);
    invalidate(&old).await;
    assert_eq!(newer::tagged(&new, 1).await, NEW);
    filled(&new, 1).await;
    assert_eq!(older::tagged(&old, 1).await, OLD);
    invalidate(&new).await;
    older::tagged(&old, 1).await;
    filled(&old, 2).await;
    assert_eq!(newer::tagged(&new, 1).await, READ);
}

async fn what_was_written_before_a_release_gained_a_tag_is_not_read(world: World) {
    let [old, new] = processes(&world).await;
    older::gaining(&old, 1).await;
    filled(&old, 1).await;
    // It cannot say whether the tag was invalidated since.
    assert_eq!(newer::gaining(&new, 1).await, NEW);
}

async fn a_result_of_an_older_release_goes_with_the_tags_of_its_inner_calls(world: World) {
    let [old, new] = processes(&world).await;
    older::outer(&old, 1).await;
    filled(&old, 2).await;
    assert_eq!(newer::outer(&new, 1).await, READ);
    invalidate(&old).await;
    assert_eq!(newer::outer(&new, 1).await, NEW);
}

async fn a_result_made_of_what_an_older_release_has_written_goes_with_the_tags_of_that(
    world: World,
) {
    let [old, new] = processes(&world).await;
    older::tagged(&old, 1).await;
    filled(&old, 1).await;
    assert_eq!(newer::outer(&new, 1).await, READ);
    filled(&new, 1).await;
    assert_eq!(newer::outer(&new, 1).await, READ);
    invalidate(&old).await;
    assert_eq!(newer::outer(&new, 1).await, NEW);
}
