//! Any template that compiles, with any values.

#[test]
fn no_two_calls_share_a_key_and_every_key_gives_its_values_back() {
    cached_redis_fuzz::run::run("keys", 200_000, cached_redis_fuzz::keys::check);
}
