//! The runner guards against failures that do not come back: every input follows from a seed, and
//! a failure prints the one that repeats it.

use std::env::{self, VarError};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;

const LONGEST: usize = 400;

/// Runs `target` on every file of its corpus and then on so many inputs made from seeds: a quarter of them
/// unless `TESTS=all` is set.
///
/// `FUZZ_ITERATIONS` and `FUZZ_SEED` override the number and the first seed.
///
/// # Panics
///
/// Where the target does, after it has printed which input it was.
pub fn run(name: &str, iterations: u64, target: fn(&[u8])) {
    let corpus = corpus(name);
    for (file, bytes) in &corpus {
        attempt(target, bytes, || format!("corpus file {file}"));
    }
    let tier = iterations / env::var_os("TESTS").map_or(4, |_| 1);
    let iterations = variable("FUZZ_ITERATIONS").unwrap_or(tier);
    let first = variable("FUZZ_SEED").unwrap_or(0);
    for seed in (first..).take(usize::try_from(iterations).unwrap_or(usize::MAX)) {
        let bytes = input(&mut Rng::with_seed(seed), &corpus);
        attempt(target, &bytes, || {
            format!("FUZZ_SEED={seed} FUZZ_ITERATIONS=1 on {bytes:02x?}")
        });
    }
}

#[expect(clippy::print_stderr, reason = "what a failed test has to say")]
fn attempt(target: fn(&[u8]), bytes: &[u8], which: impl FnOnce() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
        eprintln!("failed with {}", which());
        resume_unwind(panic);
    }
}

fn variable(name: &str) -> Option<u64> {
    match env::var(name) {
        Ok(text) => Some(text.parse().expect("a number")),
        Err(VarError::NotPresent) => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Sorted, since the inputs made from seeds depend on the order.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let files = fs::read_dir(&folder).expect("the target has a corpus");
    let mut corpus: Vec<_> = files
        .map(|file| {
            let path = file.expect("it can be listed").path();
            let bytes = fs::read(&path).expect("it can be read");
            (path.display().to_string(), bytes)
        })
        .collect();
    corpus.sort();
    corpus
}

/// Half of them noise, half of them a file of the corpus with some changes.
fn input(random: &mut Rng, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut noise = vec![0; random.usize(..LONGEST)];
    random.fill(&mut noise);
    let Some((_, seed)) = random.choice(corpus) else {
        return noise;
    };
    if random.bool() {
        return noise;
    }
    let mut bytes = seed.clone();
    for _ in 0..random.usize(1..6) {
        change(random, &mut bytes, &noise);
    }
    bytes
}

/// A byte set, a piece cut, a piece doubled, or a piece of something else put in.
fn change(random: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.usize(..=bytes.len());
    let to = random.usize(at..=bytes.len().min(at + 16));
    match random.u8(..4) {
        0 if at < bytes.len() => bytes[at] = random.u8(..),
        1 => drop(bytes.drain(at..to)),
        2 => bytes.splice(at..at, bytes[at..to].to_vec()).for_each(drop),
        _ => bytes
            .splice(at..to, other[..other.len().min(to - at + 2)].to_vec())
            .for_each(drop),
    }
}
