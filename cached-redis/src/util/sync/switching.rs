//! The standard library's primitives, with switch points before their operations, and after those
//! where it matters that another task comes next. Outside of an exploration they do nothing else
//! than the originals.
//!
//! Schedules are sequentially consistent: what a weaker memory order would allow is not explored.
//! Nor are the insides of tokio's `watch` and `Notify`; each operation on them is one step.

use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, atomic};

use shuttle::current;

use crate::util::lock;

/// Lets another task go on, if this is one of an exploration.
pub(crate) fn switch() {
    if current::try_get_current_task().is_some() && !std::thread::panicking() {
        // An atomic of shuttle's own switches before it is read.
        shuttle::sync::atomic::AtomicBool::new(false).load(atomic::Ordering::SeqCst);
    }
}

#[derive(Debug)]
pub(crate) struct Mutex<T> {
    /// Whose turn it is, as shuttle sees it; `None` if this lock was made outside of an exploration.
    turn: Option<shuttle::sync::Mutex<()>>,
    value: lock::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        let explored = current::try_get_current_task().is_some();
        Self {
            turn: explored.then(shuttle::sync::Mutex::default),
            value: lock::Mutex::new(value),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let turn = self.turn.as_ref().map(shuttle::sync::Mutex::lock);
        let turn = turn.map(|turn| turn.unwrap_or_else(PoisonError::into_inner));
        MutexGuard {
            value: self.value.lock(),
            _turn: turn,
            _end: End,
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Its parts are dropped in this order.
pub(crate) struct MutexGuard<'a, T> {
    value: lock::MutexGuard<'a, T>,
    _turn: Option<shuttle::sync::MutexGuard<'a, ()>>,
    _end: End,
}

/// What is done right after the unlocking is not part of it.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        switch();
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// An atomic with the operations that are used.
macro_rules! atomics {
    ($($name:ident($value:ty): $($operation:ident($($argument:ident)?) -> $result:ty),*;)*) => {$(
        #[derive(Debug, Default)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            $(pub(crate) fn $operation(
                &self,
                $($argument: $value,)?
                order: atomic::Ordering,
            ) -> $result {
                switch();
                self.0.$operation($($argument,)? order)
            })*
        }
    )*};
}

atomics! {
    AtomicBool(bool): load() -> bool, store(value) -> ();
    AtomicU64(u64): load() -> u64, store(value) -> (), fetch_add(value) -> u64, fetch_max(value) -> u64;
    AtomicUsize(usize): load() -> usize, fetch_add(value) -> usize, fetch_sub(value) -> usize;
}
