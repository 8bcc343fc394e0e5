//! A test program of its own, since it counts allocations.

#[test]
fn what_is_unpacked_is_what_was_packed_or_nothing() {
    cached_redis_fuzz::run::run("packing", 200_000, cached_redis_fuzz::packing::check);
}
