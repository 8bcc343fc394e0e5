//! Tasks that belong to something.

use tokio::task::JoinHandle;

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct Background(pub(crate) JoinHandle<()>);

impl Background {
    /// Whether it has ended already, be it with its runtime.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
