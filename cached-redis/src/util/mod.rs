//! What belongs to no cache: tasks and where they live, pauses, a clock, threads, locks that tests can schedule, task-locals,
//! histograms, and warnings.

pub(crate) mod background;
pub(crate) mod backoff;
pub(crate) mod beats;
pub(crate) mod boxed;
pub(crate) mod erased;
pub(crate) mod histogram;
pub(crate) mod keyed;
pub(crate) mod liveness;
pub(crate) mod lock;
pub(crate) mod moment;
pub(crate) mod outlined;
pub(crate) mod sync;
pub(crate) mod tasks;
pub(crate) mod thread;
pub(crate) mod warning;
pub(crate) mod within;
pub(crate) mod work;
