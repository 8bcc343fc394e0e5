//! The SQL: what it renders is what Rust renders, and it can be run again.

use cached_redis::{Key, Policy};
use cached_redis_postgres::Feed;
use cached_redis_postgres::sql::{Kit, Table};

use crate::support::{Postgres, Session, Shop, eventually, items, streams};

async fn installed(postgres: &Postgres) -> Session {
    let session = postgres.connect().await;
    session.batch_execute(&Kit::new().objects()).await.unwrap();
    session
}

#[tokio::test]
async fn every_character_is_escaped_as_in_rust() {
    let postgres = Postgres::start();
    let session = installed(&postgres).await;
    let all: Vec<char> = ('\u{1}'..='\u{ffff}')
        .chain(['\u{10000}', '\u{1f600}', '\u{10ffff}'])
        .collect();
    let texts: Vec<String> = all.iter().map(|c| format!("a{c}b")).collect();
    let select = "SELECT cached_redis_escape(text) FROM unnest($1::text[]) WITH ORDINALITY AS each(text, n) ORDER BY n";
    let rows = session.query(select, &[&texts]).await.unwrap();
    assert_eq!(rows.len(), texts.len());
    for (text, row) in texts.iter().zip(rows) {
        let expected = Key::new("").value(text);
        assert_eq!(row.get::<_, &str>(0), expected.as_ref(), "{text:?}");
    }
}

#[tokio::test]
async fn the_kit_and_its_triggers_can_be_run_again_and_changed() {
    let postgres = Postgres::start();
    let session = installed(&postgres).await;
    session
        .batch_execute("CREATE TABLE items (id int, shelf text)")
        .await
        .unwrap();
    for table in [
        items(),
        items(),
        items().per_row(),
        items().per_row(),
        items(),
    ] {
        session.batch_execute(&Kit::new().objects()).await.unwrap();
        session
            .batch_execute(&table.sql(&Kit::new()).unwrap())
            .await
            .unwrap();
    }
    let names = "SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'items'::regclass";
    let names: String = session.query_one(names, &[]).await.unwrap().get(0);
    assert_eq!(
        names,
        "cached_redis_delete cached_redis_insert cached_redis_truncate cached_redis_update"
    );
}

#[tokio::test]
async fn the_program_prints_what_psql_runs() {
    let postgres = Postgres::start();
    for _ in 0..2 {
        let sql = program(&["sql", "--slot", "shop"]);
        let file =
            std::env::temp_dir().join(format!("cached-redis-kit-{}.sql", std::process::id()));
        std::fs::write(&file, sql).unwrap();
        let output = postgres.psql().arg("-f").arg(&file).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let session = postgres.connect().await;
    let slot = "SELECT plugin::text, confirmed_flush_lsn IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'shop'";
    let row = session.query_one(slot, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, bool>(1)),
        ("pgoutput", true)
    );
    session
        .batch_execute("CREATE TABLE users (id int, team_id int)")
        .await
        .unwrap();
    let triggers = program(&[
        "triggers",
        "users",
        "--key",
        "user:<id>",
        "--tag",
        "team:<team_id>",
    ]);
    session.batch_execute(&triggers).await.unwrap();
    session
        .batch_execute("INSERT INTO users VALUES (1, 2)")
        .await
        .unwrap();
}

fn program(args: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_cached-redis-postgres"))
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_program_refuses_a_hash_with_what_to_do_instead() {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_cached-redis-postgres"));
    let output = program
        .args(["triggers", "users", "--key", "user:<filter:hash>"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("error: the template `user:<filter:hash>` hashes a value"),
        "{told}"
    );
}

#[tokio::test]
async fn columns_that_are_missing_or_of_another_text_are_refused_when_triggers_are_made() {
    let postgres = Postgres::start();
    let session = installed(&postgres).await;
    let schema = "CREATE DOMAIN code AS text; CREATE TYPE mood AS ENUM ('ok');
         CREATE TABLE odd (at timestamptz, price float8, code code, mood mood, id uuid, name varchar(9))";
    session.batch_execute(schema).await.unwrap();
    let good = Table::new("odd").key("odd:<code>:<mood>:<id>:<name>");
    session
        .batch_execute(&good.sql(&Kit::new()).unwrap())
        .await
        .unwrap();
    for (column, what) in [
        ("at", "at of type timestamp with time zone"),
        ("price", "price of type double precision"),
        ("nothing", "nothing is missing"),
    ] {
        let table = Table::new("odd").key(format!("odd:<{column}>"));
        let refused = session
            .batch_execute(&table.sql(&Kit::new()).unwrap())
            .await
            .unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert!(refused.message().contains(what), "{refused:?}");
        assert!(refused.hint().unwrap().contains("cached_redis_invalidate"));
    }
}

#[tokio::test]
async fn values_and_names_of_all_kinds_render_the_keys_that_rust_renders() {
    let shop = Shop::open().await;
    let schema = "CREATE SCHEMA \"My Shop\"; CREATE TABLE \"My Shop\".\"odd \"\"table\" (
             \"my id\" int, name text, active bool, ref uuid)";
    shop.reader.batch_execute(schema).await.unwrap();
    let table = Table::new("My Shop.odd \"table").key("odd:<my id>:<name>:<active>:<ref>");
    shop.reader
        .batch_execute(&table.sql(&Kit::new()).unwrap())
        .await
        .unwrap();
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    let uuid = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";
    let policy = Policy::new().ttl(std::time::Duration::from_secs(600));
    let mut keys = Vec::new();
    for (id, name) in [
        (Some(-7), Some("it's a:b*ü%")),
        (Some(2_000_000_000), Some("")),
        (None, None),
    ] {
        let key = Key::new("odd:")
            .optional(&id)
            .text(":")
            .optional(&name)
            .text(":true:")
            .value(uuid);
        assert!(cache.put(&policy, &key, &7).await.unwrap());
        keys.push(key);
        let insert =
            format!("INSERT INTO \"My Shop\".\"odd \"\"table\" VALUES ($1, $2, true, '{uuid}')");
        shop.reader.execute(&insert, &[&id, &name]).await.unwrap();
    }
    shop.settle(&feed).await;
    for key in keys {
        assert_eq!(cache.get::<u32>(&key).await.unwrap(), None, "{key}");
    }
}

#[tokio::test]
async fn a_role_without_any_privilege_of_replication_invalidates_by_writing() {
    let shop = Shop::open().await;
    let roles = "CREATE ROLE clerk LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON items TO clerk";
    shop.postgres.run(roles).await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let clerk = shop.postgres.connect_as("clerk").await;
    clerk
        .batch_execute("UPDATE items SET n = 7 WHERE id = 1")
        .await
        .unwrap();
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 7);
    clerk
        .batch_execute("SELECT cached_redis_invalidate(ARRAY['item:2'])")
        .await
        .unwrap();
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 2);
    let refused = Feed::builder(shop.postgres.url_of("clerk"))
        .start(&cache)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("REPLICATION"), "{refused}");
}

#[tokio::test]
async fn a_role_with_a_password_follows_the_database() {
    let shop = Shop::open().await;
    shop.postgres
        .run("CREATE ROLE scrammed LOGIN REPLICATION PASSWORD 's3c/ret'")
        .await;
    let cache = shop.cache().await;
    let url = shop.postgres.url_of("scrammed:s3c%2Fret");
    let feed = Feed::builder(url).start(&cache).await.unwrap();
    streams(&feed).await;
    let wrong = Feed::builder(shop.postgres.url_of("scrammed:wrong"))
        .start(&cache)
        .await
        .unwrap();
    let told = async || wrong.stats().last_error.is_some();
    eventually("the refusal", told).await;
    let told = wrong.stats().last_error.unwrap();
    assert!(told.contains("28P01") && !told.contains("wrong"), "{told}");
}

#[tokio::test]
async fn a_key_is_escaped_whatever_a_session_takes_backslashes_for() {
    let postgres = Postgres::start();
    let session = installed(&postgres).await;
    session
        .batch_execute("SET standard_conforming_strings = off")
        .await
        .unwrap();
    let text = r"a:b\c]d";
    let row = session
        .query_one("SELECT cached_redis_escape($1)", &[&text])
        .await;
    assert_eq!(
        row.unwrap().get::<_, &str>(0),
        Key::new("").value(text).as_ref()
    );
}

#[tokio::test]
async fn a_role_that_may_write_may_run_the_triggers_of_a_kit_in_a_schema_of_its_own() {
    let postgres = Postgres::start();
    let session = postgres.connect().await;
    let kit = Kit::new().schema("cache");
    let schema =
        "CREATE SCHEMA cache; CREATE ROLE clerk LOGIN; CREATE TABLE items (id int, shelf text);
         GRANT INSERT ON items TO clerk";
    let triggers = items().sql(&kit).unwrap();
    for sql in [schema, &kit.objects(), &triggers] {
        session.batch_execute(sql).await.unwrap();
    }
    let clerk = postgres.connect_as("clerk").await;
    let insert = clerk.batch_execute("INSERT INTO items VALUES (1, 'a')");
    insert.await.unwrap();
}

#[tokio::test]
async fn who_writes_to_a_partition_by_its_name_is_heard_and_a_kit_that_would_not_hear_is_refused() {
    let shop = Shop::open().await;
    let schema = "CREATE TABLE parts (id int, n int) PARTITION BY RANGE (id);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10)";
    shop.reader.batch_execute(schema).await.unwrap();
    let parts = Table::new("parts").key("part:<id>");
    let sql = parts.sql(&Kit::new()).unwrap();
    let refused = shop.reader.batch_execute(&sql).await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert!(refused.message().contains("partitioned"), "{refused:?}");
    assert!(refused.hint().unwrap().contains("--per-row"), "{refused:?}");
    let sql = parts.per_row().sql(&Kit::new()).unwrap();
    shop.reader.batch_execute(&sql).await.unwrap();
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    shop.postgres.run("INSERT INTO parts_1 VALUES (1, 1)").await;
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 1);
}
