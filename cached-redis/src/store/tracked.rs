//! Reads whose changes the server announces from then on, for a level in process memory
//! (see [`local`](crate::protocol::local)).

use bytes::Bytes;

use crate::util::moment::Moment;
use crate::wire::targets::Targets;

/// Who keeps what was read over the tracked connection. All of it is called from the task that drives the
/// connection, so nothing here may wait.
pub(crate) trait Keeper: Send + Sync + 'static {
    /// The server announces a change of what stands under `key`. Answers that it sends later are handed out
    /// later.
    fn changed(&self, key: &[u8]);

    /// Of everything.
    fn flushed(&self);

    /// The connection is gone. It comes before a new one can be used.
    fn lost(&self);

    /// On any connection another server, or another life of it, was met.
    fn moved(&self);

    /// A command that was sent over this connection at `sent` is answered.
    fn answered(&self, sent: Moment);

    /// The store has confirmed that this process has removed or replaced what stood there.
    fn replaced(&self, _key: &str) {}

    /// The same of all of these.
    fn confirmed(&self, _targets: &Targets) {}

    /// And of all there is.
    fn cleared(&self) {}
}

/// What stands in the store.
#[derive(Default)]
pub(crate) struct Shown {
    /// When the command was sent that has shown it, at the earliest; `None`: it must not be kept. Those who
    /// keep it took their tickets before they asked.
    pub(crate) sent: Option<Moment>,
    pub(crate) entries: Vec<Option<Bytes>>,
}
