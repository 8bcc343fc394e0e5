//! Behaviour, on real servers: `cargo test -p cached-redis-postgres --all-features`.

mod crashes;
mod each_step;
mod emits;
mod feed;
mod gate;
mod kit;
mod slots;
mod stress;
mod support;
mod told;
