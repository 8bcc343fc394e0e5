//! `inspect`, `ls` and `explain`.

use serde_json::json;

use crate::shop::{bare, masked, members, open, run};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_told_with_its_age_and_its_text() {
    let (_server, shop) = open().await;
    let fingerprint = shop.json("inspect user:42")["standing"]["fingerprint"].as_u64();
    let fingerprint = format!("{:08x}", fingerprint.unwrap());
    assert_eq!(
        masked(&shop.prints("inspect user:42")).replace(&fingerprint, "F"),
        "key user:42\n\
         function cli::shop::get_user\n\
         kind value\n\
         size 66 B\n\
         ends in T\n\
         age T\n\
         fresh for T\n\
         load took T\n\
         codec json\n\
         type fingerprint F\n\
         readers take it, if it is of their type\n\
         value {\n\
         \"name\": \"user 42\"\n\
         }"
    );
    assert!(
        !shop
            .prints("inspect user:42 --no-value")
            .contains("user 42")
    );
    let data = shop.json("inspect user:42");
    assert_eq!(data["value"], json!({ "name": "user 42" }));
    assert_eq!(data["standing"]["life"], "alive");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_tag_was_invalidated_is_dead_and_its_tag_gone_until_somebody_loads() {
    let (_server, shop) = open().await;
    let alive = shop.json("inspect team:7:members");
    assert_eq!(alive["standing"]["life"], "alive");
    assert_eq!(
        alive["standing"]["tags"],
        json!([
            { "name": "team:7", "state": "stands" },
            { "name": "#fn:team:<>:members", "state": "stands" },
        ])
    );
    shop.cache.invalidate_tag("team:7").await.unwrap();
    let dead = shop.json("inspect team:7:members");
    assert_eq!(dead["standing"]["life"], "dead");
    assert_eq!(dead["standing"]["tags"][0]["state"], "gone");
    let told = shop.prints("inspect team:7:members");
    assert!(told.contains("load anew: a tag is gone"), "{told}");
    // Another team's entry gives nothing to this one.
    shop.cache.scope(members(7)).await;
    let lives = async || shop.json("inspect team:7:members")["standing"]["life"] == "alive";
    eventually("the next load", lives).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_an_older_generation_of_a_tag_that_stands_again_is_dead() {
    let (server, shop) = open().await;
    let entry = server.bytes("shop:team:7:members").unwrap();
    shop.cache.invalidate_tag("team:7").await.unwrap();
    shop.cache.scope(members(7)).await;
    let lives = async || shop.json("inspect team:7:members")["standing"]["life"] == "alive";
    eventually("the next load", lives).await;
    server.plant("shop:team:7:members", &entry);
    let dead = shop.json("inspect team:7:members");
    assert_eq!(dead["standing"]["life"], "dead");
    assert_eq!(dead["standing"]["tags"][0]["state"], "stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_value_is_told_by_its_kind() {
    let (server, shop) = open().await;
    server.plant("shop:odd", b"foreign");
    server.run::<()>(&["RPUSH", "shop:list", "x"]);
    for (key, kind) in [
        ("find:nobody", "negative: a known absence"),
        (
            "odd",
            "foreign: the cache has not written this, and takes it for a miss",
        ),
        (
            "list",
            "foreign: the cache has not written this, and takes it for a miss",
        ),
    ] {
        let told = shop.prints(&format!("inspect {key}"));
        assert!(told.contains(kind), "{told}");
    }
    let nothing = shop.run("inspect user:1");
    assert_eq!(nothing.code, Some(1));
    assert_eq!(
        masked(&nothing.out),
        "key user:1\nfunction cli::shop::get_user\nkind nothing: the next reader loads"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_by_their_headers() {
    let (server, shop) = open().await;
    server.plant("other:user:1", b"of another namespace");
    assert_eq!(
        masked(&shop.prints("ls")),
        "key kind size age ends in codec function\n\
         find:nobody negative 48 B T T cli::shop::find\n\
         team:7:members value 58 B T T bincode cli::shop::members\n\
         user:42 value 66 B T T json cli::shop::get_user\n\
         3 keys"
    );
    server.reset_commands();
    assert_eq!(shop.json("ls user:*")["keys"].as_array().unwrap().len(), 1);
    let commands = server.commands();
    // A connection asks once whether values are pending.
    let read = commands.get("get").copied().unwrap_or(0);
    assert!(read <= 1 && !commands.contains_key("mget"), "{commands:?}");
    let functions = shop.json("ls --by-function");
    assert_eq!(
        functions["cli::shop::get_user"],
        json!({ "keys": 1, "bytes": 66 })
    );
    let cut = shop.prints("ls --limit 1");
    assert!(
        cut.ends_with("1 key, and there are more: see --limit\n"),
        "{cut}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_explained_without_a_server() {
    let (_server, shop) = open().await;
    let mut command = shop.command("explain get_user 42");
    let told = run(command.env_remove("CACHED_REDIS_URL"));
    assert!(
        masked(&told.out)
            .starts_with("key user:42\nin Redis shop:user:42\nfunction cli::shop::get_user (")
    );
    let name = shop.json("explain find name=a:b");
    assert_eq!(name["in_redis"], "shop:find:a%3Ab");
    let missing = shop.run("explain get_user");
    assert_eq!(missing.code, Some(2));
    assert_eq!(
        missing.err,
        "error: `id` is missing: give id: u64, in this order or as NAME=VALUE\n"
    );
    let without = run(bare().args(["explain", "get_user", "42"]));
    assert!(
        without.err.contains("give --catalog FILE"),
        "{}",
        without.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_sorted_as_is_asked_for() {
    let (server, shop) = open().await;
    server.plant("shop:abc", b"x"); // without an end
    server.plant("shop:zoo", &[b'x'; 5000]);
    let sorted = |words: &str| {
        let listed = shop.json(words);
        let keys = listed["keys"].as_array().unwrap().iter();
        keys.map(|it| it["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted("ls")[0], "abc");
    assert_eq!(sorted("ls --sort size")[0], "zoo");
    assert_eq!(sorted("ls --sort ttl")[3..], ["abc", "zoo"]);
}
