//! The tasks that finish what writers have left.

use std::sync::Arc;

use crate::handle::Inner;
use crate::{publish, replay};

/// Starts them.
pub(crate) fn start(inner: &Arc<Inner>) {
    replay::house(inner);
    publish::house(inner);
}
