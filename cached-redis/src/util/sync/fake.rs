//! What the tasks of an exploration share: a source that is written to, and a store of one key.

use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;

use super::{AtomicU64, Mutex, MutexGuard};

/// Holds one number, which every write makes greater by one.
#[derive(Default)]
pub(crate) struct Source {
    version: AtomicU64,
    floor: AtomicU64,
}

impl Source {
    pub(crate) fn load(&self) -> u64 {
        self.version.load(SeqCst)
    }

    pub(crate) fn commit(&self) -> u64 {
        self.version.fetch_add(1, SeqCst) + 1
    }

    /// The write of `version` has returned to its caller.
    pub(crate) fn returned(&self, version: u64) {
        self.floor.fetch_max(version, SeqCst);
    }

    /// A read that starts now must not get less.
    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(SeqCst)
    }
}

/// What stands under the key.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Slot {
    #[default]
    Nothing,
    Lease(u64),
    Value(u64),
}

/// Each step is atomic, and others may go on before it and after it.
#[derive(Default)]
pub(crate) struct Store {
    slot: Mutex<Slot>,
    tokens: AtomicU64,
}

impl Store {
    pub(crate) fn get(&self) -> Slot {
        *self.slot()
    }

    /// A lease with a new token; else what stands there.
    pub(crate) fn acquire(&self) -> Result<u64, Slot> {
        let token = self.tokens.fetch_add(1, SeqCst);
        let mut slot = self.slot();
        match *slot {
            Slot::Nothing => {
                *slot = Slot::Lease(token);
                Ok(token)
            }
            other => Err(other),
        }
    }

    /// Whether the lease still stood.
    pub(crate) fn fill(&self, token: u64, value: u64) -> bool {
        self.replace(token, Slot::Value(value))
    }

    pub(crate) fn release(&self, token: u64) {
        self.replace(token, Slot::Nothing);
    }

    pub(crate) fn put(&self, new: Slot) {
        *self.slot() = new;
    }

    fn replace(&self, token: u64, new: Slot) -> bool {
        let mut slot = self.slot();
        let stands = *slot == Slot::Lease(token);
        if stands {
            *slot = new;
        }
        stands
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock()
    }
}

pub(crate) fn encoded(version: u64) -> Bytes {
    Bytes::copy_from_slice(&version.to_be_bytes())
}

pub(crate) fn decoded(entry: &[u8]) -> u64 {
    u64::from_be_bytes(entry.try_into().expect("it was encoded here"))
}
