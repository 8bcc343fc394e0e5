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

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::context::{Loading, Scoped};
use crate::engine::encode::{EncodedEntry, Encoder, Loaded};
use crate::engine::handle::{Cache, Inner};
use crate::engine::label::{self, Label};
use crate::engine::plan::{AnyPlan, Outcome, Plan, ReturnOf};
use crate::engine::shape::{Fallible, Kept, Shape as _};
use crate::engine::tags::{Basis, Stamp};
use crate::engine::transaction;
use crate::engine::verdict;
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::{DIRECT, DIRECT_THROUGH, Function, WriteThrough};
use crate::policy::Policy;
use crate::store::Store as _;
use crate::util::boxed::Boxed;
use crate::util::erased::Erased;
use crate::wire::codec::{Format, FromCache};
use crate::wire::key::{KeyWriter, Render};
use crate::wire::tag::{self, TAG};
use crate::write::attributes::Attributes;
use crate::write::call;

/// One call of a function under `#[write_through]`.
#[must_use]
pub struct Through(Erased<State>);

struct State {
    function: &'static Function,
    instance: Instance,
    origin: Option<u64>,
    write: call::State,
    label: Label,
    /// Whether a tag could not be rendered.
    incomplete: bool,
    /// What its value may be stored on.
    basis: Option<Basis>,
    /// What the function runs in.
    loading: Option<Arc<Loading>>,
}

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
        Self(Erased::new(State {
            function,
            instance,
            origin: None,
            write,
            label,
            incomplete: false,
            basis: None,
            loading: None,
        }))
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
        self.0.write.attributes()
    }

    pub(crate) fn policy(&self) -> &'static Policy {
        &self.0.function.info.policy
    }
}

impl State {
    fn key(&mut self, render: &mut dyn Render) {
        self.write.key("", render);
        let info = &self.function.info;
        if let (Some(cache), false) = (self.write.cache(), info.tags.is_empty()) {
            // Its readers may be of another program, and have theirs by their attribute.
            let own = tag::function_key(&cache.inner.namespace, info.template);
            self.label.tags.name(own);
        }
    }

    fn tag(&mut self, render: &mut dyn Render) {
        let Some(cache) = self.write.cache() else {
            return;
        };
        let mut writer = KeyWriter::marked(&cache.inner.namespace, TAG);
        render.render(&mut writer);
        match writer.finish() {
            Some(tag) => self.label.tags.name(tag),
            None => {
                self.incomplete = true;
                cache.inner.emit(&self.function.site, &Event::KeyFailed);
            }
        }
    }

    /// Begins the write.
    fn begin<'a>(&'a mut self, policy: &'a Policy) -> Boxed<'a, ()> {
        Box::pin(async {
            self.basis = self.basis(policy).await;
            let inner = self.write.cache().map(|cache| &cache.inner);
            self.loading =
                inner.map(|inner| Loading::new(inner, policy.isolated, None, Vec::new()));
        })
    }

    /// What it begins from, if its value may be stored at its end. A transaction that ends later than the function may
    /// not see what others have committed.
    async fn basis(&mut self, policy: &Policy) -> Option<Basis> {
        let inner = Arc::clone(&self.write.cache()?.inner);
        let epoch = inner.store.epoch(self.write.only_key()?);
        if self.incomplete || !self.is_fit(&inner, policy) || transaction::is_open() {
            return None;
        }
        self.origin = self.function.meet(&inner, self.instance)?.origin;
        self.label = self.fitted(&inner)?;
        self.write.begin().await;
        self.write.begun()?;
        let stamp = Stamp::take(&inner, &self.label.tags, policy, None).await;
        let stamp = stamp.unwrap_or_else(|error| {
            inner.emit(&self.function.site, &Event::Failed(&error));
            None
        });
        Some(Basis {
            epoch,
            stamp: stamp?,
        })
    }

    /// Without a cache nothing is encoded.
    fn format(&self) -> Format {
        let cache = self.write.cache();
        cache.map_or_else(Format::default, |cache| cache.inner.settings.format)
    }

    /// Ends it with what the function has returned.
    fn end(
        &mut self,
        policy: &Policy,
        describes: bool,
        outcome: Outcome<'_>,
    ) -> Boxed<'static, ()> {
        let encoded = self.encoded(policy, describes, outcome);
        self.write.put(encoded)
    }

    /// What is stored of it.
    fn encoded(
        &self,
        policy: &Policy,
        describes: bool,
        outcome: Outcome<'_>,
    ) -> Option<EncodedEntry> {
        let said = self.loading.as_ref()?.heard();
        let (basis, unread) = (self.basis.as_ref(), Stamp::default());
        let flights = &self.write.cache()?.inner.flights;
        said.hand_on(flights, basis.map_or(&unread, |basis| &basis.stamp));
        let encoder = Encoder {
            inner: &self.write.begun()?.inner,
            key: self.write.only_key()?,
            function: self.function,
            policy,
            describes,
            version: self.label.version,
            origin: self.origin,
        };
        let Outcome::Value { stored, judge } = outcome else {
            return None;
        };
        let encoded = encoder.judge(stored, &Loaded::said(said), basis?, judge.verdict());
        // Where a tag was found that was not read before, the next load finds it too.
        encoded.ok().filter(|encoded| !encoded.is_marker)
    }

    fn fitted(&self, inner: &Inner) -> Option<Label> {
        let fitted = self.label.fitted(inner, self.write.only_key()?);
        fitted
            .inspect_err(|reader| label::unlabelled(inner, &self.function.site, reader))
            .ok()
    }

    fn is_fit(&self, inner: &Inner, policy: &Policy) -> bool {
        let unfit = inner.settings.is_unfit(policy);
        if unfit {
            let first = self.function.without_policy.first();
            inner.emit(&self.function.site, &Event::NoPolicy(first));
        }
        !unfit
    }
}

impl fmt::Debug for Through {
    /// Says nothing of what is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").finish_non_exhaustive()
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
    let returned = Scoped::of(through.0.loading.clone(), write()).await;
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
