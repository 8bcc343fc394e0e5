//! Functions under `#[write_behind]`, and what runs them when their calls come out of the queue.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::observe::registry::{Function, FunctionInfo, Registered, Writer};
use crate::util::boxed::Boxed;
use crate::wire::stored::Stored;

/// One function under `#[write_behind]`: what it is called with waits in a queue.
#[derive(Debug)]
pub struct WriteBehind {
    pub(crate) function: Function,
    pub(crate) writer: Writer,
    pub(crate) info: BehindInfo,
}

/// What `#[write_behind]` knows about its function beside that.
#[derive(Debug)]
pub struct BehindInfo {
    /// The name of the queue.
    pub queue: &'static str,
    /// How many writes may wait there.
    pub max_queue: u64,
    /// How old the oldest of these may be.
    pub max_lag: Option<Duration>,
    /// Whether only the last of the writes of a key that wait is run.
    pub coalesce: bool,
    /// Runs the function.
    pub apply: fn(Applying) -> Boxed<'static, Applied>,
    /// What the worker has to provide for that.
    pub needs: fn() -> Vec<Need>,
}

impl WriteBehind {
    /// Made in a static by the attribute.
    #[must_use]
    pub const fn new(
        function: FunctionInfo,
        targets: &'static [&'static str],
        info: BehindInfo,
    ) -> Self {
        Self {
            writer: Writer::behind(&function, targets),
            function: Function::new(function),
            info,
        }
    }
}

/// The functions under `#[write_behind]`, in no order.
pub(crate) fn write_behinds() -> impl Iterator<Item = &'static WriteBehind> {
    inventory::iter::<Registered>
        .into_iter()
        .filter_map(|registered| match registered {
            Registered::Behind(behind) => Some(*behind),
            _ => None,
        })
}

/// A type of which the worker has to provide a value.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl Need {
    /// That of a parameter `&T`.
    #[must_use]
    pub fn of<T: Any>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }
}

/// What a worker can provide. The name is for the compiler's message.
#[diagnostic::on_unimplemented(
    message = "no worker can provide a `{Self}`: its tasks run on any thread",
    label = "this is not `Send` and `Sync`",
    note = "help: take a reference to what is both, such as an `Arc` for an `Rc`, or a `Mutex` for a `RefCell`"
)]
pub trait Providable: Any + Send + Sync {}

// Else there would be an error for each of them.
#[diagnostic::do_not_recommend]
impl<T: Any + Send + Sync> Providable for T {}

/// What a worker was provided with, by type.
#[derive(Clone, Default)]
pub(crate) struct Provided(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Provided {
    pub(crate) fn add<T: Any + Send + Sync>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn has(&self, need: &Need) -> bool {
        self.0.contains_key(&need.id)
    }

    fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = self.0.get(&TypeId::of::<T>())?;
        Arc::clone(value).downcast().ok()
    }
}

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provided").finish_non_exhaustive()
    }
}

/// A call that has come out of the queue.
#[derive(Debug)]
pub struct Applying {
    arguments: Bytes,
    provided: Arc<Provided>,
}

impl Applying {
    pub(crate) fn new(arguments: Bytes, provided: &Arc<Provided>) -> Self {
        let provided = Arc::clone(provided);
        Self {
            arguments,
            provided,
        }
    }

    /// Its arguments; `None` if they are of other types than those that were stored.
    #[must_use]
    pub fn arguments<A>(&self, stored: &Stored<A>) -> Option<A> {
        stored.decode(&self.arguments)
    }

    /// What the worker was provided with of a type.
    #[must_use]
    pub fn provided<T: Providable>(&self) -> Option<Arc<T>> {
        self.provided.get()
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It has returned `Ok`.
    Yes,
    /// It has failed.
    Failed,
    /// Its arguments cannot be read.
    Unreadable,
}
