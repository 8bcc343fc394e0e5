//! A test program of its own, since it counts allocations.

#[test]
fn replies_end_where_they_end_however_they_come() {
    cached_redis_fuzz::run::run("replies", 1_000_000, cached_redis_fuzz::replies::check);
}
