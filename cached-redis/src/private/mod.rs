//! All that generated code may name. Not part of the public interface: it changes without notice.

#![expect(
    private_bounds,
    reason = "what a plan can do is not for expansions, which only hand it on"
)]

pub(crate) mod detach;
pub mod outcome;
pub(crate) mod refusal;

pub use core::option::Option::{None, Some};
pub use core::time::Duration;
pub use inventory;

pub use crate::api::catalog::assert_catalog;
pub use crate::engine::handle::Cache;
pub use crate::engine::id_map::IdMap;
pub use crate::observe::behind::{Applied, Applying, BehindInfo, Need, Providable, WriteBehind};
pub use crate::observe::instance::{Instance, definition};
pub use crate::observe::registry::{
    Function, FunctionInfo, Guard, Registered, When, WriteThrough, Writer, WriterInfo,
};
pub use crate::policy::schema::Schema;
pub use crate::policy::{
    Jitter, Policy, Written, checked_compress, checked_local, checked_negative_ttl,
    checked_replica_lag, checked_timeout, checked_ttl, checked_window,
};
pub use crate::private::detach::{Held, held, sent};
pub use crate::private::refusal::{Acceptance, Refusal};
pub use crate::read::batch::{Batch, Each};
pub use crate::read::call::Call;
pub use crate::util::boxed::Boxed;
pub use crate::wire::key::{KeyName, KeyWriter, part};
pub use crate::wire::stored::{Storable, Stored};
pub use crate::wire::version::source_version;
pub use crate::write::attributes::Attributes;
pub use crate::write::behind::Behind;
pub use crate::write::call::Write;
pub use crate::write::through::Through;
pub use futures_util::future::join_all;

/// What a function under `#[redis_cached]` returns.
pub mod shape {
    pub use crate::engine::copies::{
        Copies0, Copies1, Copies2, Copies3, Refused0, copying, copying_each,
    };
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

use crate::engine::plan::{AnyPlan, ErrorOf, OkOf, Plan, ReturnOf};
use crate::engine::shape::{Kept, Shape};
use crate::engine::verdict::Verdict;
use crate::error::Busy;
use crate::read::batch::plan::{EachPlan, Id, Value};
use crate::read::batch::{self, Many};
use crate::read::load::{Detached, InPlace};
use crate::util::outlined::Outlined;

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

/// The plan of a function: with what the attribute says and the probes have found.
pub fn plan<S, E, C, U>(shape: S, errors: E, codec: C, verdict: U) -> Plan<S, E, C, U>
where
    S: Shape<Value: Cacheable>,
    U: Fn(&S::Ok) -> Verdict,
{
    Plan {
        shape,
        errors,
        codec,
        verdict,
    }
}

/// That of a write, whose errors nobody waits for.
pub fn write_plan<S, C, U>(shape: S, codec: C, verdict: U) -> Plan<S, Kept, C, U>
where
    S: Shape<Value: Cacheable>,
    U: Fn(&S::Ok) -> Verdict,
{
    plan(shape, Kept, codec, verdict)
}

/// That of a batch: `verdict` is of each of its values.
pub fn batch_plan<S, E, C, U>(shape: S, errors: E, codec: C, verdict: U) -> Plan<S, E, C, U>
where
    S: Many<Stored: Cacheable>,
    U: Fn(&<S::Ok as IdMap>::Value) -> Verdict,
{
    Plan {
        shape,
        errors,
        codec,
        verdict,
    }
}

/// Answers a call of a function under `#[redis_cached]`.
pub fn read<P, F, L>(call: Call, plan: P, load: F) -> impl Future<Output = ReturnOf<P>>
where
    P: AnyPlan,
    F: FnOnce() -> L,
    L: Future<Output = ReturnOf<P>>,
{
    let policy = &call.function.info.policy;
    let future = crate::read::flow::read(call, policy, plan, InPlace(load));
    Outlined { future }
}

/// The same for a load that can go on without its caller: `load` makes it own what it needs.
pub fn read_in_background<P, F, G, L>(
    call: Call,
    plan: P,
    load: F,
) -> impl Future<Output = ReturnOf<P>>
where
    P: AnyPlan + Send + 'static,
    OkOf<P>: Send + 'static,
    ErrorOf<P>: Send + 'static,
    F: FnOnce() -> G,
    G: FnOnce() -> L + Send + 'static,
    L: Future<Output = ReturnOf<P>> + Send + 'static,
{
    let policy = &call.function.info.policy;
    let future = crate::read::flow::read(call, policy, plan, Detached(load));
    Outlined { future }
}

/// Runs a function under `#[write_through]`.
pub fn write_through<P, F, L>(
    through: Through,
    plan: P,
    write: F,
) -> impl Future<Output = ReturnOf<P>>
where
    P: AnyPlan,
    F: FnOnce() -> L,
    L: Future<Output = ReturnOf<P>>,
{
    let policy = through.policy();
    let future = crate::write::through::write(through, policy, plan, write);
    Outlined { future }
}

/// Accepts a call of a function under `#[write_behind]` into its queue.
pub fn write_behind<A, V>(
    behind: Behind,
    arguments: &A,
    value: &V,
    stored: &(Stored<A>, Stored<V>),
) -> impl Future<Output = Result<(), Busy>> + Send + use<A, V> {
    crate::write::behind::write(behind, arguments, value, stored)
}

/// A copy of an argument for one load of a batch, which may load more than once.
pub fn copy<T: Clone>(argument: &T) -> T {
    argument.clone()
}

/// Answers a call of a function under `#[redis_cached(batch(…))]`. `load` is asked for the ids that
/// are missing, each time with other ones.
pub fn read_batch<P, F, L>(
    batch: Batch<Id<P>>,
    plan: P,
    load: F,
) -> impl Future<Output = ReturnOf<P>>
where
    P: EachPlan,
    F: FnMut(Vec<Id<P>>) -> L,
    L: Future<Output = ReturnOf<P>>,
{
    let policy = batch.policy();
    batch::read(batch, policy, plan, InPlace(load))
}

/// The same for loads that can go on without their caller: `load` makes one own what it needs.
pub fn read_batch_in_background<P, F, G, L>(
    batch: Batch<Id<P>>,
    plan: P,
    load: F,
) -> impl Future<Output = ReturnOf<P>>
where
    P: EachPlan + Send + 'static,
    OkOf<P>: Send + 'static,
    ErrorOf<P>: Send + 'static,
    Id<P>: Send + 'static,
    Value<P>: Send + 'static,
    F: FnMut() -> G,
    G: FnOnce(Vec<Id<P>>) -> L + Send + 'static,
    L: Future<Output = ReturnOf<P>> + Send + 'static,
{
    let policy = batch.policy();
    batch::read(batch, policy, plan, Detached(load))
}
