//! A function that meets two of its instances under one key runs uncached.

use std::sync::atomic::Ordering;

use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::instance::{Instance, Met};
use crate::observe::registry::Function;

impl Function {
    /// Finds the instance; none, where its key is also that of another one.
    #[inline]
    pub(crate) fn meet(&self, inner: &Inner, instance: Instance) -> Option<&Met> {
        if self.conflicting.load(Ordering::Relaxed) {
            return None;
        }
        let met = self.instances.meet(&self.info, instance);
        if met.is_shared && !self.conflicting.swap(true, Ordering::Relaxed) {
            inner.emit(&self.site, &Event::SharedKey);
        }
        Some(met).filter(|met| !met.is_shared)
    }
}
