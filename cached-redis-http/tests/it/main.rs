//! What the layer answers: the rules, the promise, other layers and services, CDNs and their purges.

mod builds;
mod cdn;
mod layers;
mod promise;
#[cfg(feature = "purge")]
mod purges;
mod rules;
mod support;
mod world;
