//! How much is tried: enough for a change, or all of it.

/// The first as a rule, the second under `TESTS=all`, which `./scripts/test all` sets.
pub(crate) fn tier<T>(quick: T, all: T) -> T {
    match std::env::var("TESTS").as_deref() {
        Err(_) => quick,
        Ok("all") => all,
        Ok(other) => panic!("TESTS is `all` or not set, not `{other}`"),
    }
}
