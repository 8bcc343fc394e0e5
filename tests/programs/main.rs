//! Random programs: everything that the library can do, in every combination, at the same time and
//! under faults. Whatever they do, no read may return what an invalidation had removed before it began,
//! another key's value, one of a transaction that was not committed, or one of another namespace.
//!
//! A fifth of them is run without `TESTS=all`. `PROGRAMS=long` runs five times all, `PROGRAMS=100` that many at most, `PROGRAM_SEED=7` begins
//! elsewhere, `PROGRAM_PAIRS=1` prints how often any two features met.

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../support/mod.rs"]
mod support;

mod features;
mod functions;
mod generator;
mod nested;
mod oracle;
mod process;
mod program;
mod readers;
mod regressions;
mod runner;
mod scene;
mod shrink;
mod truth;
mod value;
mod writers;

use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use features::Pairs;
use runner::{Seen, Store, run};
use support::RedisServer;

const IN_MEMORY: u64 = 20_000;
const ON_REDIS: u64 = 500;

#[test]
fn no_program_in_memory_reads_what_it_must_not() {
    let seen = all_hold(IN_MEMORY, &[Store::Memory, Store::Memory]);
    assert!(seen.values().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn no_program_on_redis_reads_what_it_must_not() {
    let server = RedisServer::start();
    let stores: Vec<_> = (0..8)
        .map(|db| Store::Redis(format!("{}/{db}", server.url())))
        .collect();
    let seen = all_hold(ON_REDIS, &stores);
    // In a fifth of them what is rare may not happen.
    let is_all = support::tier(false, true);
    assert!(!is_all || seen.values().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn any_two_features_meet_in_a_program() {
    let mut pairs = Pairs::new();
    (0..IN_MEMORY).for_each(|seed| pairs.count(&generator::program(seed)));
    if std::env::var_os("PROGRAM_PAIRS").is_some() {
        println!("{pairs}");
    }
    assert_eq!(pairs.missing(), []);
}

#[test]
fn a_cache_without_fences_is_found_out_by_a_short_program() {
    let program = |seed| {
        generator::about(
            vec![readers::reader("unfenced")],
            fastrand::Rng::with_seed(seed),
            seed,
        )
    };
    forget_planted_panics();
    let failing = (0..2_000).map(program).find_map(|program| {
        let wrong = run(&program, &Store::Memory).err()?;
        Some(shrink::shrink(program, wrong, &Store::Memory))
    });
    let (program, wrong) = failing.expect("a program that shows it");
    assert!(wrong.contains("stale"), "{wrong}");
    assert!(program.steps().count() <= 3, "{program}");
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let variable = |name| std::env::var(name).ok();
    let first = variable("PROGRAM_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    let count = match variable("PROGRAMS").as_deref() {
        None => support::tier(count / 5, count),
        Some("long") => 5 * count,
        Some(programs) => count.min(programs.parse().expect("a number, or `long`")),
    };
    first..first + count
}

/// Runs the programs of so many seeds, on each of the stores one at a time.
fn all_hold(count: u64, stores: &[Store]) -> Seen {
    forget_planted_panics();
    let seeds = seeds(count);
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let seen = Mutex::new(Seen::new());
    let work = |store: &Store| {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failed.load(Ordering::Relaxed) {
                return;
            }
            match run(&generator::program(seed), store) {
                Ok(new) => new.into_iter().for_each(|(name, count)| {
                    *seen.lock().unwrap().entry(name).or_default() += count
                }),
                Err(wrong) => {
                    if !failed.swap(true, Ordering::Relaxed) {
                        fail(seed, wrong, store);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        stores
            .iter()
            .for_each(|store| drop(scope.spawn(|| work(store))))
    });
    seen.into_inner().unwrap()
}

/// Prints the shortest program that fails.
fn fail(seed: u64, wrong: String, store: &Store) {
    let (program, what) = shrink::shrink(generator::program(seed), wrong.clone(), store);
    panic!("PROGRAM_SEED={seed} on {store:?}: {wrong}\n\nshortened:\n{program}\n\n{what}\n");
}

/// Those that programs ask for are nobody's concern.
fn forget_planted_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&truth::PLANTED) {
                usual(info);
            }
        }));
    });
}
