//! Values whose drop is compiled once: that of a struct is compiled into every function that may have to drop one.

use std::borrow::BorrowMut;
use std::ops::{Deref, DerefMut};

/// See the module.
pub(crate) struct Opaque<T>(Box<dyn BorrowMut<T> + Send + Sync>);

impl<T: Send + Sync + 'static> Opaque<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Box::new(value))
    }
}

impl<T> Deref for Opaque<T> {
    type Target = T;

    fn deref(&self) -> &T {
        (*self.0).borrow()
    }
}

impl<T> DerefMut for Opaque<T> {
    fn deref_mut(&mut self) -> &mut T {
        (*self.0).borrow_mut()
    }
}
