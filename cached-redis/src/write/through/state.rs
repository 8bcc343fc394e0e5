//! One call of a function under `#[write_through]`: what its value is called, what it may be stored on, and its end.

use std::sync::Arc;

use crate::engine::context::Loading;
use crate::engine::encode::{EncodedEntry, Encoder, Loaded};
use crate::engine::handle::Inner;
use crate::engine::label::{self, Label};
use crate::engine::plan::Outcome;
use crate::engine::tags::{Basis, Stamp};
use crate::engine::transaction;
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::store::Store as _;
use crate::util::boxed::Boxed;
use crate::wire::codec::Format;
use crate::wire::key::{KeyWriter, Render};
use crate::wire::tag::{self, TAG};
use crate::write::attributes::Attributes;
use crate::write::call;

/// See the module.
pub(super) struct State {
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

impl State {
    pub(super) fn new(
        function: &'static Function,
        instance: Instance,
        write: call::State,
        label: Label,
    ) -> Self {
        Self {
            function,
            instance,
            origin: None,
            write,
            label,
            incomplete: false,
            basis: None,
            loading: None,
        }
    }

    pub(super) fn policy(&self) -> &'static Policy {
        &self.function.info.policy
    }

    pub(super) fn attributes(&mut self) -> Arc<Attributes> {
        self.write.attributes()
    }

    pub(super) fn loading(&self) -> Option<Arc<Loading>> {
        self.loading.clone()
    }

    pub(super) fn key(&mut self, render: &mut dyn Render) {
        self.write.key("", render);
        let info = &self.function.info;
        if let (Some(cache), false) = (self.write.cache(), info.tags.is_empty()) {
            // Its readers may be of another program, and have theirs by their attribute.
            let own = tag::function_key(&cache.inner.namespace, info.template);
            self.label.tags.name(own);
        }
    }

    pub(super) fn tag(&mut self, render: &mut dyn Render) {
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
    pub(super) fn begin<'a>(&'a mut self, policy: &'a Policy) -> Boxed<'a, ()> {
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
    pub(super) fn format(&self) -> Format {
        let cache = self.write.cache();
        cache.map_or_else(Format::default, |cache| cache.inner.settings.format)
    }

    /// Ends it with what the function has returned.
    pub(super) fn end(
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
