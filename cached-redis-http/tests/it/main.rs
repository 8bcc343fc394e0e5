//! What the layer answers: the rules, the promise, other layers and services, CDNs and their purges.

mod cdn;
mod layers;
mod promise;
#[cfg(feature = "purge")]
mod purges;
mod rules;
mod world;
