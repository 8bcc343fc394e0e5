//! What is promised of write-behind, on the store in memory, on a real Redis and on a cluster of three: a read
//! returns the last write that was accepted or a later one, and all that was accepted is applied, in its order.

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../support/mod.rs"]
mod support;

mod behaviour;
mod beside;
mod dead_letters;
mod durability;
#[cfg(feature = "testing")]
mod each_await;
mod killed;
mod servers;
mod shop;
mod stress;
mod workers;
