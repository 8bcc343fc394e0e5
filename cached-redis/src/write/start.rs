//! The tasks that finish what writers have left.

use std::sync::Arc;

use crate::engine::handle::Inner;
use crate::write::{publish, replay};

/// Starts them.
pub(crate) fn start(inner: &Arc<Inner>) {
    replay::house(inner);
    publish::house(inner);
    let unattended = Arc::clone(&inner.runtime.unattended);
    inner
        .runtime
        .house(move || Arc::clone(&unattended).attend());
}
