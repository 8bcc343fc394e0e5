//! What the expansion of `#[invalidates]` holds while the function runs.

mod run;
mod state;

use std::sync::Arc;

use crate::engine::handle::Cache;
use crate::error::Unguarded;
use crate::observe::registry::Writer;
use crate::util::boxed::Boxed;
use crate::util::erased::Erased;
use crate::wire::key::KeyWriter;
use crate::wire::tag::TAG;
use crate::write::attributes::Attributes;
use crate::write::call::run::Run;
pub(super) use crate::write::call::state::State;

/// One call of a function under `#[invalidates]`.
///
/// Dropped before its end, by a panic or because the caller is gone, it counts as "may have been committed" and
/// invalidates.
#[derive(Debug)]
#[must_use]
pub struct Write(Erased<State>);

impl Write {
    /// A write that invalidates in the cache in scope, or else the installed one.
    pub fn new(writer: &'static Writer) -> Self {
        Self(Erased::new(State::new(writer)))
    }

    /// A write that invalidates in this cache.
    pub fn on(writer: &'static Writer, cache: &Cache) -> Self {
        Self(Erased::new(State::on(writer, cache)))
    }

    /// Adds a target.
    pub fn key(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.0.key("", &mut render);
    }

    /// Adds a target with a `*` in its text.
    pub fn pattern(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.0.pattern(&mut render);
    }

    /// Adds a tag.
    pub fn tag(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.0.key(TAG, &mut render);
    }

    /// Renders a part of a target whose rest is known only from the result. The function may move
    /// its parameters away before that.
    pub fn fragment(&mut self, mut render: impl Fn(&mut KeyWriter)) -> String {
        self.0.fragment(&mut render)
    }

    /// Begins a guarded write. Where that fails, it goes on in one phase.
    pub fn begin(&mut self) -> Boxed<'_, ()> {
        Box::pin(self.0.begin())
    }

    /// Begins a guarded write, or says why the function must not run.
    pub fn require(&mut self) -> Boxed<'_, Option<Unguarded>> {
        Box::pin(self.0.require())
    }

    /// For the attributes in the body of the function, which end with this one.
    pub fn attributes(&mut self) -> Arc<Attributes> {
        self.0.attributes()
    }

    /// Invalidates before the function runs.
    pub fn before(&mut self) -> Boxed<'static, ()> {
        self.0.before()
    }

    /// Runs the function, and ends with it. `judge` says whether it has not failed, and adds what is known from its
    /// result alone.
    pub fn run<F, J>(self, body: F, judge: J) -> impl Future<Output = F::Output>
    where
        F: Future,
        J: FnOnce(&mut Self, &F::Output) -> bool,
    {
        Run::new(self, body, judge)
    }
}
