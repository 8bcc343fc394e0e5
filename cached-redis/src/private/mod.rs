//! All that generated code may name. Not part of the public interface: it changes without notice.

pub(crate) mod detach;
pub mod outcome;
pub(crate) mod refusal;

pub use core::option::Option::{None, Some};
pub use core::time::Duration;
pub use inventory;

pub use crate::api::catalog::assert_catalog;
pub use crate::engine::handle::Cache;
pub use crate::engine::id_map::IdMap;
pub use crate::observe::instance::{Instance, definition};
pub use crate::observe::registry::{
    Function, FunctionInfo, Guard, Registered, When, WriteThrough, Writer, WriterInfo,
};
pub use crate::policy::schema::Schema;
pub use crate::policy::{
    Jitter, Policy, Written, checked_negative_ttl, checked_replica_lag, checked_timeout,
    checked_ttl, checked_window,
};
pub use crate::private::detach::{Held, held, sent};
pub use crate::private::refusal::Refusal;
pub use crate::read::batch::{Batch, Each};
pub use crate::read::call::Call;
pub use crate::wire::key::{KeyName, KeyWriter, part};
pub use crate::wire::version::source_version;
pub use crate::write::attributes::Attributes;
pub use crate::write::call::Write;
pub use crate::write::through::Through;
pub use futures_util::future::join_all;

/// What a function under `#[redis_cached]` returns.
pub mod shape {
    pub use crate::engine::shape::{
        ByEqual, ByNothing, Comparing, EachPointed, EachWhole, ErrorsKept, ErrorsShared, Probe,
        Rank0, Rank1, Rank2, Rank3, each, values,
    };
}

/// What becomes of a result.
pub mod verdict {
    pub use crate::engine::verdict::{Verdict, store, ttl_of, ttl_with, unless};
}

/// What the option `codec` can name.
pub mod codec {
    #[cfg(feature = "bincode")]
    pub use crate::wire::codec::Bincode;
    pub use crate::wire::codec::{Choice, FromCache as Default, Json, Msgpack};
}

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::plan::Plan;
use crate::engine::shape::{ErrorSharing, Kept, Shape};
use crate::engine::verdict::Verdict;
use crate::read::batch::{self, Many};
use crate::read::load::{Detached, InPlace};
use crate::util::outlined::Outlined;
use crate::wire::codec::Choice;

/// A value that can be kept. The name is for the compiler's message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached: it, or a type in it, is no serde type",
    label = "this type has to be stored and read back",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it and for what is inside, without borrowed fields",
    note = "a response of a web framework cannot be read back: annotate a function beneath the handler, \
            which returns the value itself"
)]
pub trait Cacheable: Serialize + DeserializeOwned {}

// Else there would be an error for each of the two, and none that names the remedy for what is inside.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Cacheable for T {}

/// Answers a call of a function under `#[redis_cached]`.
pub fn read<S, E, C, U, F, L>(
    call: Call,
    shape: S,
    errors: E,
    codec: C,
    verdict: U,
    load: F,
) -> impl Future<Output = S::Return>
where
    S: Shape<Value: Cacheable>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&S::Ok) -> Verdict + Copy,
    F: FnOnce() -> L,
    L: Future<Output = S::Return>,
{
    let policy = &call.function.info.policy;
    let plan = Plan::new(shape, errors, codec, verdict);
    let future = crate::read::flow::read(call, policy, plan, InPlace(load));
    Outlined { future }
}

/// The same for a load that can go on without its caller: `load` makes it own what it needs.
pub fn read_in_background<S, E, C, U, F, G, L>(
    call: Call,
    shape: S,
    errors: E,
    codec: C,
    verdict: U,
    load: F,
) -> impl Future<Output = S::Return>
where
    S: Shape<Value: Cacheable> + Send + Sync + 'static,
    S::Ok: Send + 'static,
    S::Error: Send + 'static,
    E: ErrorSharing<S::Error> + Copy + Send + Sync + 'static,
    C: Choice + Send + Sync + 'static,
    U: Fn(&S::Ok) -> Verdict + Copy + Send + 'static,
    F: FnOnce() -> G,
    G: FnOnce() -> L + Send + 'static,
    L: Future<Output = S::Return> + Send + 'static,
{
    let policy = &call.function.info.policy;
    let plan = Plan::new(shape, errors, codec, verdict);
    let future = crate::read::flow::read(call, policy, plan, Detached(load));
    Outlined { future }
}

/// Runs a function under `#[write_through]`.
pub fn write_through<S, C, U, F, L>(
    through: Through,
    shape: S,
    codec: C,
    verdict: U,
    write: F,
) -> impl Future<Output = S::Return>
where
    S: Shape<Value: Cacheable>,
    C: Choice,
    U: Fn(&S::Ok) -> Verdict + Copy,
    F: FnOnce() -> L,
    L: Future<Output = S::Return>,
{
    let policy = through.policy();
    let plan = Plan::new(shape, Kept, codec, verdict);
    let future = crate::write::through::write(through, policy, plan, write);
    Outlined { future }
}

/// A copy of an argument for one load of a batch, which may load more than once.
pub fn copy<T: Clone>(argument: &T) -> T {
    argument.clone()
}

/// Answers a call of a function under `#[redis_cached(batch(…))]`. `load` is asked for the ids that
/// are missing, each time with other ones.
pub fn read_batch<S, E, C, U, F, L>(
    batch: Batch<<S::Ok as IdMap>::Id>,
    shape: S,
    errors: E,
    codec: C,
    verdict: U,
    load: F,
) -> impl Future<Output = S::Return>
where
    S: Many<Stored: Cacheable>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&<S::Ok as IdMap>::Value) -> Verdict,
    F: FnMut(Vec<<S::Ok as IdMap>::Id>) -> L,
    L: Future<Output = S::Return>,
{
    let policy = batch.policy();
    let task = batch::Task {
        errors,
        codec,
        verdict,
        load: InPlace(load),
    };
    batch::read(batch, policy, shape, task)
}

/// The same for loads that can go on without their caller: `load` makes one own what it needs.
pub fn read_batch_in_background<S, E, C, U, F, G, L>(
    batch: Batch<<S::Ok as IdMap>::Id>,
    shape: S,
    errors: E,
    codec: C,
    verdict: U,
    load: F,
) -> impl Future<Output = S::Return>
where
    S: Many<Stored: Cacheable> + Send + Sync + 'static,
    S::Ok: Send + 'static,
    S::Error: Send + 'static,
    <S::Ok as IdMap>::Id: Send + Sync + 'static,
    E: ErrorSharing<S::Error> + Copy + Send + Sync + 'static,
    C: Choice + Send + Sync + 'static,
    U: Fn(&<S::Ok as IdMap>::Value) -> Verdict + Clone + Send + Sync + 'static,
    F: FnMut() -> G,
    G: FnOnce(Vec<<S::Ok as IdMap>::Id>) -> L + Send + 'static,
    L: Future<Output = S::Return> + Send + 'static,
{
    let policy = batch.policy();
    let task = batch::Task {
        errors,
        codec,
        verdict,
        load: Detached(load),
    };
    batch::read(batch, policy, shape, task)
}
