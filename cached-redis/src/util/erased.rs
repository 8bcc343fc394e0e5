//! Values whose drop is compiled once: that of a struct is compiled into every function that may have to drop one.
//!
//! Closures of which every function has some stand behind traits of their own for the same reason: as a `dyn Fn` one is
//! compiled for more ways to call it than anybody goes.

use std::borrow::BorrowMut;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// See the module.
pub(crate) struct Erased<T>(Box<dyn BorrowMut<T> + Send + Sync>);

impl<T: Send + Sync + 'static> Erased<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Box::new(value))
    }
}

impl<T> Deref for Erased<T> {
    type Target = T;

    fn deref(&self) -> &T {
        (*self.0).borrow()
    }
}

impl<T> DerefMut for Erased<T> {
    fn deref_mut(&mut self) -> &mut T {
        (*self.0).borrow_mut()
    }
}

impl<T> fmt::Debug for Erased<T> {
    /// Says nothing of what is behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Erased").finish_non_exhaustive()
    }
}
