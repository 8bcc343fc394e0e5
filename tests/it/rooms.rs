//! The rooms of both crates stand in an order, and each uses only those above it.
//!
//! What is read is the source: the declarations `use`, and the paths in between that begin at the crate or
//! at a parent. A re-export is no use of its own; whoever takes something by it uses where it is made. What
//! is compiled for tests alone may use anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

mod graph;
mod scan;

use graph::Graph;
use scan::Source;

const LIBRARY: &[&str] = &[
    "error", "policy", "wire", "util", "store", "observe", "protocol", "engine", "write", "read",
    "api", "private", "testing", "docs",
];
const MACROS: &[&str] = &["parse", "check", "expand"];

/// Two files may know each other, and three; more are one file in pieces.
const LARGEST_CYCLE: usize = 3;

#[test]
fn each_room_of_the_library_uses_only_those_above_it() {
    assert_order("cached-redis/src", LIBRARY);
}

#[test]
fn each_room_of_the_macros_uses_only_those_above_it() {
    assert_order("cached-redis-macros/src", MACROS);
}

#[test]
fn no_more_than_three_files_of_a_room_need_each_other() {
    for crate_of in ["cached-redis/src", "cached-redis-macros/src"] {
        let cycles = Graph::new(&read(crate_of)).cycles(LARGEST_CYCLE);
        assert!(cycles.is_empty(), "{crate_of}: cycles of files:\n{cycles}");
    }
}

#[test]
fn a_use_in_the_wrong_direction_is_told_with_its_place_and_both_rooms() {
    let sources = [
        ("low/mod.rs", "pub(crate) mod a;"),
        (
            "low/a.rs",
            "use std::fmt;\nuse crate::{high::{b::B, c}, low};\n\
             fn f() -> impl Sized + use<> { crate::high::c::g() }",
        ),
        ("high/mod.rs", "pub(crate) mod b;\npub(crate) mod c;"),
        (
            "high/b.rs",
            "struct B;\nfn f() { crate::low::a::f(super::c::g()) }",
        ),
        (
            "high/c.rs",
            "#[cfg(test)]\nmod tests { use crate::nowhere::X; }",
        ),
    ];
    let sources = sources.map(|(path, text)| Source::parse(path, text));
    let told = misplaced(&sources, &["low", "high"]);
    assert_eq!(
        told,
        "low/a.rs:2: `low` uses `high::b::B`, but `high` stands below it\n\
         low/a.rs:2: `low` uses `high::c`, but `high` stands below it\n\
         low/a.rs:3: `low` uses `high::c::g`, but `high` stands below it\n"
    );
    assert_eq!(misplaced(&sources, &["high", "low"]).lines().count(), 1);
}

#[test]
fn files_that_need_each_other_are_told_whichever_way_they_name_each_other() {
    let sources = [
        (
            "room/mod.rs",
            "mod a;\nmod b;\nmod c;\nmod d;\npub(crate) use c::C;",
        ),
        ("room/a.rs", "use super::b::B;\nstruct A;"),
        ("room/b.rs", "use crate::room::C;\nstruct B;"),
        ("room/c.rs", "fn f() { super::d::g() }\nstruct C;"),
        ("room/d.rs", "type A = super::a::A;"),
    ];
    let sources = sources.map(|(path, text)| Source::parse(path, text));
    let graph = Graph::new(&sources);
    assert_eq!(graph.cycles(3), "room/a.rs room/b.rs room/c.rs room/d.rs\n");
    assert_eq!(graph.cycles(4), "");
}

fn assert_order(root: &str, order: &[&str]) {
    let sources = read(root);
    let rooms: BTreeSet<_> = sources.iter().filter_map(Source::room).collect();
    let known: BTreeSet<_> = order.iter().copied().collect();
    assert_eq!(rooms, known, "{root}: the rooms");
    let told = misplaced(&sources, order);
    assert!(
        told.is_empty(),
        "{root}: uses in the wrong direction:\n{told}"
    );
}

/// A line for each use of a room by one that stands above it.
fn misplaced(sources: &[Source], order: &[&str]) -> String {
    let level: BTreeMap<_, _> = order
        .iter()
        .enumerate()
        .map(|(at, room)| (*room, at))
        .collect();
    let mut told = String::new();
    for source in sources {
        let Some(own) = source.room() else { continue };
        for used in &source.uses {
            let room = used.path[0].as_str();
            let why = match level.get(room) {
                Some(at) if *at <= level[own] => continue,
                Some(_) => "stands below it",
                // What is exported at the root has a room as well.
                None => "is no room",
            };
            let (path, line, name) = (&source.path, used.line, used.path.join("::"));
            writeln!(
                told,
                "{path}:{line}: `{own}` uses `{name}`, but `{room}` {why}"
            )
            .unwrap();
        }
    }
    told
}

/// All sources of a crate but its root and the modules of its tests.
fn read(root: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let (mut sources, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|it| it == "rs") {
                let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
                sources.push(Source::parse(path, &fs::read_to_string(&file).unwrap()));
            }
        }
    }
    let tests: Vec<_> = sources.iter().flat_map(Source::tests).collect();
    sources.retain(|source| !tests.iter().any(|test| source.module.starts_with(test)));
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}
