//! What a process says of its cache: the functions it has, events, counters, and the record of a test.

pub(crate) mod behind;
pub(crate) mod event;
pub(crate) mod families;
pub(crate) mod instance;
pub(crate) mod local;
pub(crate) mod openmetrics;
#[cfg(feature = "testing")]
pub(crate) mod recorder;
pub(crate) mod registry;
#[cfg(feature = "metrics")]
pub(crate) mod report;
pub(crate) mod signal;
pub(crate) mod span;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod warnings;
