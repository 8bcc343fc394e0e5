//! The command line against real servers, as it is typed.

mod addresses;
mod catalogs;
mod doctor;
mod modes;
mod output;
mod purge;
mod shop;
mod sights;
#[allow(
    dead_code,
    reason = "what the tests of the library need is here as well"
)]
mod support;
mod tails;
