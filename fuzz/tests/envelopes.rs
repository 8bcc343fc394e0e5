//! A test program of its own, since it counts allocations.

#[test]
fn no_bytes_make_a_wrong_value_a_panic_or_a_large_allocation() {
    cached_redis_fuzz::run::run("envelopes", 1_000_000, cached_redis_fuzz::envelopes::check);
}
