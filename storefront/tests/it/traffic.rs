//! Customers and clerks for some seconds: no page shows a price that is older than a change that had returned.

use std::process::Output;

use crate::support::{Postgres, RedisServer, storefront};

/// For how many seconds, until they have done a little of everything: a busy machine needs more than three.
const SECONDS: [&str; 4] = ["3", "6", "12", "24"];

/// What everybody does.
const ROWS: [&str; 5] = [
    "answered 304",
    "hits",
    "loads saved",
    "prices changed",
    "orders",
];

/// Runs it until all `rows` have moved, and gives the table.
fn busy(variables: &[(&str, String)], more: &[&str], rows: &[&str]) -> String {
    let mut table = String::new();
    for seconds in SECONDS {
        table = traffic(variables, seconds, more);
        assert_eq!(number(&table, "stale reads"), 0, "{table}");
        if rows.iter().all(|row| number(&table, row) > 0) {
            return table;
        }
    }
    panic!("{rows:?}: {table}");
}

/// Runs it, and gives the table.
fn traffic(variables: &[(&str, String)], seconds: &str, more: &[&str]) -> String {
    let mut command = storefront(variables);
    let output = command.args(["--traffic", seconds]).args(more).output();
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

fn assert_right(table: &str, processes: u64) {
    assert_eq!(number(table, "processes"), processes, "{table}");
    assert!(
        number(table, "prices checked") > number(table, "prices changed"),
        "{table}"
    );
}

#[test]
fn in_memory() {
    assert_right(&busy(&[], &[], &ROWS), 1);
}

#[test]
fn on_redis_in_two_processes_with_postgresql() {
    let (redis, postgres) = (RedisServer::start(), Postgres::start());
    let variables = [("REDIS_URL", redis.url()), ("DATABASE_URL", postgres.url())];
    let table = busy(&variables, &[], &ROWS);
    assert_right(&table, 2);
    assert_eq!(number(&table, "late, within what is allowed"), 0, "{table}");
}

#[test]
fn on_redis_in_two_processes_that_serve_from_their_memory_as_well() {
    let redis = RedisServer::start();
    let rows = [&ROWS[..], &["of them in process memory"]].concat();
    assert_right(&busy(&[("REDIS_URL", redis.url())], &["--local"], &rows), 2);
}
