//! The table of faults in the consistency document names a test for each of them. A test that is
//! renamed or removed must not leave its name behind there.

use std::fs;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../cached-redis/src/docs/evidence.md");

/// The rows of the table, without its head.
fn rows() -> Vec<&'static str> {
    let (_, section) = DOCUMENT.split_once("\n# Faults\n").expect("the section");
    let section = section.split("\n# ").next().expect("its text");
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.skip(2).collect()
}

/// The tests that a row names: the file and the name of each.
fn tests(row: &str) -> Vec<(&str, &str)> {
    let quoted = row.split('`').skip(1).step_by(2);
    quoted
        .filter(|text| text.starts_with("tests/"))
        .map(|text| text.split_once("::").expect("a file and a test"))
        .collect()
}

/// Whether `text` defines a test of this name, as a function or in a list of a macro.
fn defines(text: &str, name: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| word == name)
}

#[test]
fn every_row_names_tests_and_they_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(rows().len() > 10, "the table was not found");
    for row in rows() {
        assert!(!tests(row).is_empty(), "no test: {row}");
        for (file, name) in tests(row) {
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            assert!(defines(&text, name), "there is no `{file}::{name}`");
        }
    }
}

#[test]
fn a_name_that_is_gone_is_noticed() {
    assert_eq!(
        tests("| a | b | `tests/it/x.rs::y` |"),
        [("tests/it/x.rs", "y")]
    );
    assert!(defines("async fn y_z() {}", "y_z") && !defines("async fn y_z() {}", "y"));
}
