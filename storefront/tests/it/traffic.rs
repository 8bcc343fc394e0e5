//! Customers and clerks for three seconds: no page shows a price that is older than a change that had returned.

use std::process::Output;

use crate::support::{Postgres, RedisServer, storefront};

/// Runs it, and gives the table.
fn traffic(variables: &[(&str, String)], more: &[&str]) -> String {
    let mut command = storefront(variables);
    let output = command.args(["--traffic", "3"]).args(more).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("the program runs");
    let (table, errors) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{table}\n{errors}");
    table.into_owned()
}

/// The number in a row.
fn number(table: &str, row: &str) -> u64 {
    let line = table.lines().find(|line| line.starts_with(row));
    let line = line.unwrap_or_else(|| panic!("no row {row}: {table}"));
    let number = line[row.len()..].split_whitespace().next();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no number: {line}"))
}

fn is_busy_and_right(table: &str, processes: u64) {
    assert_eq!(number(table, "processes"), processes, "{table}");
    assert_eq!(number(table, "stale reads"), 0, "{table}");
    for row in [
        "answered 304",
        "hits",
        "loads saved",
        "prices changed",
        "orders",
    ] {
        assert!(number(table, row) > 0, "{row}: {table}");
    }
    assert!(
        number(table, "prices checked") > number(table, "prices changed"),
        "{table}"
    );
}

#[test]
fn in_memory() {
    is_busy_and_right(&traffic(&[], &[]), 1);
}

#[test]
fn on_redis_in_two_processes_with_postgresql() {
    let (redis, postgres) = (RedisServer::start(), Postgres::start());
    let variables = [("REDIS_URL", redis.url()), ("DATABASE_URL", postgres.url())];
    let table = traffic(&variables, &[]);
    is_busy_and_right(&table, 2);
    assert_eq!(number(&table, "late, within what is allowed"), 0, "{table}");
}

#[test]
fn on_redis_in_two_processes_that_serve_from_their_memory_as_well() {
    let redis = RedisServer::start();
    let table = traffic(&[("REDIS_URL", redis.url())], &["--local"]);
    is_busy_and_right(&table, 2);
    assert!(number(&table, "of them in process memory") > 0, "{table}");
}
