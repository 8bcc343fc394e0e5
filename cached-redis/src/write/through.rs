//! The write-through: a write that ends with its value in the cache.
//!
//! Storing what was written by a plain SET is broken: of two writers, the one that committed first may
//! set last, and its old value stays until its TTL (n5 of the model). So a write-through is a write in
//! two phases (see [`guard`](crate::write::guard)), and its value takes the place of its tombstone only if that
//! shows that **nobody else has written meanwhile**: the tombstone holds its writer's token and no other,
//! and is not tainted. Whoever else writes leaves a trace there:
//!
//! * another writer in two phases, or write-through: its token; and the taint, when it has ended,
//! * an invalidation: the taint, where invalidations spare tombstones; else it removes the tombstone.
//!
//! Without that proof the write ends as any other, by an invalidation.
//!
//! # It does not need `guarded(true)`
//!
//! A guarded namespace is needed for what must outlive the writer's process: an invalidation of somebody
//! else must not take away the tombstone under which it may die (c6). A write-through needs no more than
//! to *notice* an invalidation, and one that removes the tombstone is noticed as well (p5). What stands
//! there then is not its own, and is removed. Readers heed a tombstone in every namespace. So in one that
//! is not guarded nothing old is ever stored; there a writer that dies between its commit and
//! its end merely may leave what a one-phase writer leaves.
//!
//! # A tombstone that was gone proves nothing
//!
//! A guarded write whose tombstone was evicted, or outlived by a suspended process, puts it back at its
//! next sign of life. The new one knows nothing of those who wrote in between. So a write that has lapsed
//! stores nothing. Neither does one whose server was replaced, or whose key waits in the journal: the
//! answer to a put settles nothing there, because what waits may have been committed after it.
//!
//! # Its tags
//!
//! The generations are those of before the write, as they are those of before a load. The value carries the
//! tags that the attribute says (see [`label`](crate::engine::label)) and those of what the function calls.

mod state;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::context::Scoped;
use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::engine::plan::{AnyPlan, Plan, ReturnOf};
use crate::engine::shape::{Fallible, Kept, Shape as _};
use crate::engine::verdict;
use crate::observe::instance::Instance;
use crate::observe::registry::{DIRECT, DIRECT_THROUGH, Function, WriteThrough};
use crate::policy::Policy;
use crate::util::erased::Erased;
use crate::wire::codec::FromCache;
use crate::wire::key::KeyWriter;
use crate::write::attributes::Attributes;
use crate::write::call;
use crate::write::through::state::State;

/// One call of a function under `#[write_through]`.
#[derive(Debug)]
#[must_use]
pub struct Through(Erased<State>);

impl Through {
    /// A write to the cache in scope, or else the installed one.
    pub fn new(through: &'static WriteThrough, instance: Instance) -> Self {
        let write = call::State::new(&through.writer);
        Self::of(&through.function, instance, write, Label::default())
    }

    /// A write to this cache.
    pub fn on(through: &'static WriteThrough, instance: Instance, cache: &Cache) -> Self {
        let write = call::State::on(&through.writer, cache);
        Self::of(&through.function, instance, write, Label::default())
    }

    /// A write under a key that was given by hand.
    pub(crate) fn direct(cache: &Cache, key: String, label: Label) -> Self {
        let mut write = call::State::on(&DIRECT_THROUGH.writer, cache);
        write.full_key(key);
        Self::of(&DIRECT, Instance::DIRECT, write, label)
    }

    fn of(
        function: &'static Function,
        instance: Instance,
        write: call::State,
        label: Label,
    ) -> Self {
        Self(Erased::new(State::new(function, instance, write, label)))
    }

    /// Renders the key.
    pub fn key(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.0.key(&mut render);
    }

    /// Renders a tag of the value.
    pub fn tag(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.0.tag(&mut render);
    }

    /// For the attributes in the body of the function, which end with this one.
    pub fn attributes(&mut self) -> Arc<Attributes> {
        self.0.attributes()
    }

    pub(crate) fn policy(&self) -> &'static Policy {
        self.0.policy()
    }
}

/// Runs `write`, and stores what it returns unless it fails, its verdict is against it, or somebody has interfered.
/// `write` has what the function was given, and is dropped before `through`.
pub(crate) async fn write<P, F, L>(
    mut through: Through,
    policy: &Policy,
    plan: P,
    write: F,
) -> ReturnOf<P>
where
    P: AnyPlan,
    F: FnOnce() -> L,
    L: Future<Output = ReturnOf<P>>,
{
    through.0.begin(policy).await;
    let returned = Scoped::of(through.0.loading(), write()).await;
    let (result, format) = (P::Shape::result(returned), through.0.format());
    let describes = plan.describes(format);
    let ended = plan.show(format, &result, |outcome| {
        through.0.end(policy, describes, outcome)
    });
    ended.await;
    P::Shape::returned(result)
}

/// The same without an attribute.
pub(crate) async fn by_hand<T, E, F, L>(through: Through, policy: &Policy, write: F) -> Result<T, E>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> L,
    L: Future<Output = Result<T, E>>,
{
    let plan = Plan {
        shape: Fallible::new(),
        errors: Kept,
        codec: FromCache,
        verdict: verdict::store,
    };
    self::write(through, policy, plan, write).await
}

#[cfg(test)]
mod tests;
