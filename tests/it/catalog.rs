//! What the catalogue finds wrong. The tests of this program hold unsound functions on purpose;
//! those here are asserted to the letter. A sound catalogue is in a test program of its own.

use cached_redis::catalog::Catalog;
use serde_json::json;

use crate::support::{World, eventually};

/// The functions and what is wrong with them.
mod unsound {
    use cached_redis::{invalidates, redis_cached, write_through};

    #[redis_cached(ttl = 60, key = "catalog:two-types:<id>")]
    pub(super) async fn number(id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "catalog:two-types:<name>")]
    pub(super) async fn text(name: &str) -> String {
        name.to_owned()
    }

    #[redis_cached(ttl = "5m", key = "catalog:sound:<id>:items")]
    pub(super) async fn sound(id: u64) -> Result<Vec<u64>, String> {
        Ok(vec![id])
    }

    // Whatever T is, the function is left out of the comparison of types.
    #[redis_cached(ttl = 60, key = "catalog:two-types:<id>", skip(T))]
    pub(super) async fn generic<T>(id: T) -> u64
    where
        T: Into<u64> + std::fmt::Display,
    {
        id.into()
    }

    #[invalidates("catalog:nobody:<id>", "catalog:sound:<id>:items")]
    pub(super) async fn half_useless(id: u64) {
        let _ = id;
    }

    #[invalidates("catalog:sound:<id>")]
    pub(super) async fn misspelt(id: u64) {
        let _ = id;
    }

    #[invalidates("catalog:sound:*", "catalog:nobody:*")]
    pub(super) async fn wide() {}
    #[write_through(ttl = 60, key = "catalog:sound:<id>:item", tags = [])]
    pub(super) async fn written_to_nobody(id: u64) -> u64 {
        id
    }

    #[write_through(ttl = 60, key = "catalog:sound:<id>:items", tags = [])]
    pub(super) async fn written_through(id: u64) -> Result<Vec<u64>, String> {
        Ok(vec![id])
    }

    #[redis_cached(ttl = 60, key = "catalog:tagged:<id>", tags = ["catalog:<id>", "b"])]
    pub(super) async fn tagged(id: u64) -> u64 {
        id
    }

    // The same tags, whatever their order and the names in them.
    #[redis_cached(ttl = 60, key = "catalog:tagged:<n>", tags = ["b", "catalog:<n>"])]
    pub(super) async fn tagged_alike(n: u64) -> u64 {
        n
    }

    #[redis_cached(ttl = 60, key = "catalog:tagged:<id>", tags = "b")]
    pub(super) async fn tagged_less(id: u64) -> u64 {
        id
    }

    #[write_through(ttl = 60, key = "catalog:labelled:<id>", tags = ["catalog:of:<id>"])]
    pub(super) async fn labelled(id: u64) -> u64 {
        id
    }

    #[write_through(ttl = 60, key = "catalog:labelled:<id>", tags = [])]
    pub(super) async fn unlabelled(id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "catalog:labelled:<n>", tags = "catalog:of:<n>")]
    pub(super) async fn reads_labelled(n: u64) -> u64 {
        n
    }

    #[write_through(ttl = 60, key = "catalog:versioned:<id>", tags = ["catalog:of:<id>"])]
    pub(super) async fn written_without_its_version(id: u64) -> u64 {
        id
    }

    async fn version(id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "catalog:versioned:<id>", version = version)]
    pub(super) async fn reads_versioned(id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "catalog:{a}:{<id>}")]
    pub(super) async fn with_two_hash_tags(id: u64) -> u64 {
        id
    }

    #[invalidates(tag = "catalog:<id>", tag = "c")]
    pub(super) async fn half_useless_tags(id: u64) {
        let _ = id;
    }

    pub(super) mod twice {
        use cached_redis::redis_cached;

        pub(in super::super) struct A;
        pub(in super::super) struct B;

        impl A {
            #[redis_cached(ttl = 60)]
            pub(in super::super) async fn find(id: u64) -> u64 {
                id
            }
        }

        impl B {
            #[redis_cached(ttl = 60)]
            pub(in super::super) async fn find(id: u64) -> u64 {
                id + 1
            }
        }
    }
}

async fn problems() -> Vec<String> {
    let cache = World::in_memory().cache().await;
    let problems = cache.catalog().problems();
    let problems = problems.iter().map(ToString::to_string);
    let mut ours: Vec<_> = problems
        .filter(|text| text.starts_with("`it::catalog::unsound"))
        .collect();
    ours.sort();
    ours
}

#[tokio::test]
async fn every_problem_is_found() {
    // They are sound as functions.
    unsound::number(1).await;
    unsound::text("1").await;
    unsound::sound(1).await.unwrap();
    unsound::generic(1_u64).await;
    unsound::half_useless(1).await;
    unsound::misspelt(1).await;
    unsound::wide().await;
    unsound::written_to_nobody(1).await;
    unsound::written_through(1).await.unwrap();
    unsound::tagged(1).await;
    unsound::tagged_alike(1).await;
    unsound::tagged_less(1).await;
    unsound::half_useless_tags(1).await;
    unsound::labelled(1).await;
    unsound::unlabelled(1).await;
    unsound::reads_labelled(1).await;
    unsound::written_without_its_version(1).await;
    unsound::reads_versioned(1).await;
    unsound::with_two_hash_tags(1).await;
    assert_eq!(
        (
            unsound::twice::A::find(1).await,
            unsound::twice::B::find(1).await
        ),
        (1, 2)
    );

    assert_eq!(
        problems().await,
        [
            "`it::catalog::unsound::half_useless_tags` invalidates the tag \"c\", which no cached function carries",
            "`it::catalog::unsound::half_useless` invalidates \"catalog:nobody:<id>\", which matches no cached function",
            "`it::catalog::unsound::misspelt` invalidates \"catalog:sound:<id>\", which matches no cached function",
            "`it::catalog::unsound::number` keeps `u64` under \"catalog:two-types:<id>\", where `it::catalog::unsound::text` keeps `String`",
            "`it::catalog::unsound::tagged_alike` has other tags under \"catalog:tagged:<n>\" than `it::catalog::unsound::tagged_less`: each replaces the other's entries",
            "`it::catalog::unsound::tagged` has other tags under \"catalog:tagged:<id>\" than `it::catalog::unsound::tagged_less`: each replaces the other's entries",
            "`it::catalog::unsound::twice::find` has the same default key as `it::catalog::unsound::twice::find`: give each a `key`",
            "`it::catalog::unsound::unlabelled` writes through to \"catalog:labelled:<id>\", whose reader `it::catalog::unsound::reads_labelled` has other tags: it takes none of the values",
            "`it::catalog::unsound::wide` invalidates \"catalog:nobody:*\", which matches no cached function",
            "`it::catalog::unsound::with_two_hash_tags` has more than one `{` in \"catalog:{a}:{<id>}\": a Redis Cluster goes by the first pair of braces alone, so leave one",
            "`it::catalog::unsound::written_to_nobody` writes through to \"catalog:sound:<id>:item\", which matches no cached function",
            "`it::catalog::unsound::written_without_its_version` writes through to \"catalog:versioned:<id>\", whose reader `it::catalog::unsound::reads_versioned` has a version: none of the values is kept",
        ]
    );
}

#[test]
#[should_panic(expected = "invalidates \"catalog:nobody:<id>\", which matches no cached function")]
fn assert_catalog_panics_with_the_problems() {
    cached_redis::assert_catalog!();
}

/// Its pattern may match any key, so it stands at each of them.
const ANY_KEY: &str = "  invalidated by odd_settings::drop_all";

/// The row of a key and the lines beneath it.
fn row(catalog: &Catalog, key: &str) -> Vec<String> {
    let table = catalog.to_string();
    let mut lines = table.lines().skip_while(|line| !line.starts_with(key));
    let row = lines.next().expect("a row");
    let writers = lines.take_while(|line| line.starts_with(' '));
    [row]
        .into_iter()
        .chain(writers)
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_table_has_a_row_for_each_function_and_a_line_for_each_of_its_writers() {
    let catalog = World::in_memory().cache().await.catalog();
    let lines = row(&catalog, "catalog:sound:<id>:items");
    for cell in [
        "Result<Vec<u64>, String>",
        "300s",
        " catalog::unsound::sound",
        "catalog.rs:",
    ] {
        assert!(lines[0].contains(cell), "no `{cell}` in\n{}", lines[0]);
    }
    assert_eq!(
        lines[1..],
        [
            "  invalidated by catalog::unsound::half_useless",
            "  invalidated by catalog::unsound::wide",
            "  invalidated by catalog::unsound::written_through (write-through)",
            ANY_KEY,
        ]
    );
}

#[tokio::test]
async fn the_table_says_who_drops_an_entry_by_its_tag() {
    let catalog = World::in_memory().cache().await.catalog();
    let lines = row(&catalog, "catalog:tagged:<n>");
    let writer = "  invalidated by catalog::unsound::half_useless_tags";
    assert_eq!(lines[1..], ["  tagged b, catalog:<n>", writer, ANY_KEY]);
}

#[tokio::test]
async fn problems_stand_above_the_table() {
    let catalog = World::in_memory().cache().await.catalog();
    let problems = || {
        let problems = catalog.problems().into_iter();
        let problems: String = problems.map(|problem| format!("\n  {problem}")).collect();
        format!("problems:{problems}")
    };
    // What the functions of other tests keep meanwhile tells more of their types.
    let same = async || {
        let (before, printed) = (problems(), catalog.to_string());
        let (above, table) = printed.split_once("\n\n").expect("two parts");
        assert!(table.starts_with("functions of it, in tests"));
        above == before
    };
    eventually("the same in both", same).await;
}

#[tokio::test]
async fn the_catalogue_is_also_data() {
    let catalog = World::in_memory().cache().await.catalog();
    let data = serde_json::to_value(&catalog).unwrap();
    let find = |list: &str, function: &str| {
        let list = data[list].as_array().unwrap().iter();
        let mut found =
            list.filter(|it| it["function"] == format!("it::catalog::unsound::{function}"));
        found.next().unwrap().clone()
    };
    assert_eq!(
        find("problems", "misspelt"),
        json!({
            "function": "it::catalog::unsound::misspelt",
            "problem": "invalidates \"catalog:sound:<id>\", which matches no cached function",
        })
    );
    let mut sound = find("functions", "sound");
    assert!(sound["line"].take().is_u64());
    let writers = sound["writers"].as_array_mut().unwrap();
    for writer in &mut *writers {
        assert!(writer["line"].take().is_u64());
    }
    let any_key = writers.pop().unwrap();
    assert_eq!(any_key["function"], "it::odd_settings::drop_all");
    let writer = |function: &str, does: &[&str]| {
        json!({
            "function": format!("it::catalog::unsound::{function}"),
            "does": does,
            "file": "tests/it/catalog.rs",
            "line": null,
        })
    };
    assert_eq!(
        sound,
        json!({
            "key": "catalog:sound:<id>:items",
            "tags": [],
            "value": "Result<Vec<u64>, String>",
            "ttl_ms": 300_000,
            "policy": null,
            "compress": null,
            "codec": null,
            "parameters": [["id", "u64"]],
            "function": "it::catalog::unsound::sound",
            "file": "tests/it/catalog.rs",
            "line": null,
            "writers": [
                writer("half_useless", &[]),
                writer("wide", &[]),
                writer("written_through", &["write-through"]),
            ],
        })
    );
}
