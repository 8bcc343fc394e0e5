//! Programs that had read what they must not, each as it was printed.

use crate::forget_planted_panics;
use crate::program::*;
use crate::runner::{Store, run};
use crate::support::RedisServer;

/// All hold, with many pauses in memory, and some on Redis.
fn hold(programs: &[Program]) {
    forget_planted_panics();
    let server = RedisServer::start();
    for program in programs {
        (0..100).for_each(|seed| holds(program, seed, &Store::Memory));
        (0..5).for_each(|seed| holds(program, seed, &Store::Redis(server.url())));
    }
}

fn holds(program: &Program, seed: u64, store: &Store) {
    let mut program = program.clone();
    program.seed = seed;
    if let Err(wrong) = run(&program, store) {
        panic!("{program}\n\n{wrong}");
    }
}

fn program() -> Program {
    Program::new(0, Weather::Fair)
}

#[test]
fn two_tags_that_one_load_has_stamped_are_told_apart() {
    hold(&[program().task([
        read("both", 0),
        read("document_1", 0),
        write("set_folder_1", 0),
        read("document_2", 0),
    ])]);
}

#[test]
fn those_who_share_a_batch_inherit_the_tags_that_it_finds() {
    let task = |(name, id)| {
        let again = write("set_tag", 0).pause(20);
        [read(name, id), read(name, id), again, read(name, id)]
    };
    let outer = [
        ("list", 0),
        ("list", 1),
        ("list", 2),
        ("deep", 0),
        ("deep", 1),
    ];
    hold(&[outer.map(task).into_iter().fold(program(), Program::task)]);
}

#[test]
fn what_a_writer_stores_goes_with_the_tags_that_its_readers_find() {
    let stored = |store| {
        let (first, last) = (read("found", 0), read("found", 0));
        program().task([first, store, write("set_tag", 0), last])
    };
    let beside = program().task([write("set_found", 0)]);
    hold(&[
        stored(write("set_found", 0)),
        stored(write("put_found", 0)),
        stored(read("update_found", 0)),
        beside.task([write("set_tag", 0), read("found", 0)]),
    ]);
}

#[test]
fn a_batch_in_an_open_transaction_shares_nothing() {
    let beside = |name| {
        let reads = [(Member::A, name, 0), (Member::A, name, 0)];
        let writes = [("set_plain", 0), ("set_plain", 1)];
        let outside = [read(name, 0), read(name, 0), read(name, 0)];
        let program = program().task([transaction(&writes, &reads, false)]);
        program.task(outside.clone()).task(outside)
    };
    hold(&["plain_many", "get_or_fill_many", "found_many", "shelf"].map(beside));
}

#[test]
fn default_keys_of_two_types_do_not_meet() {
    hold(&[program().task([read("shop", 0), read("bank", 0)])]);
}

#[test]
fn caches_of_one_process_know_what_the_other_has_deferred() {
    let twin = || read("plain", 0).on(Member::Twin);
    let steps = [
        refresh("plain", 0),
        step(Action::Time(5)),
        step(Action::Outage(true)),
        forget("plain", 0),
        twin(),
    ];
    let beside = [uncached("plain", 0), twin().dropped(3)];
    let program = program().task(steps);
    hold(&[program.clone(), program.task(beside)]);
}

#[test]
fn caches_of_one_process_know_what_the_other_has_in_an_open_transaction() {
    let twin = || read("plain", 0).on(Member::Twin);
    let reads = [(Member::Twin, "plain", 0), (Member::A, "plain", 0)];
    let open = transaction(&[("set_plain", 0)], &reads, false);
    hold(&[program()
        .task([open])
        .task([read("plain", 0), twin(), read("plain", 0)])]);
}

#[test]
fn an_event_does_not_wait_for_the_open_transaction_of_somebody_else() {
    let reads = [(Member::Other, "rich", 1)];
    let open = transaction(&[("set_plain", 1)], &reads, true).on(Member::Other);
    let update = write("update_versioned", 1).on(Member::Other).pause(5);
    hold(&[program().task([open]).task([update])]);
}
