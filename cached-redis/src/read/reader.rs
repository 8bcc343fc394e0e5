//! One read and all it needs to know, apart from what its values are.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::context;
use crate::engine::encode::{EncodedEntry, Encoder};
use crate::engine::fill::FillRight;
use crate::engine::filling::Filling;
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::flight::Flight;
use crate::protocol::freshness::{self, Freshness};
use crate::read::call::Call;
use crate::read::control::{self, Wish};
use crate::read::info::CacheInfo;
use crate::read::local;
use crate::read::search::Lookup;
use crate::store::Store as _;
use crate::wire::codec::Format;
use crate::wire::entry::Live;
use crate::wire::extension::WINDOW;
use crate::wire::tag::Tags;

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) key: &'a str,
    pub(crate) tags: &'a Tags,
    pub(crate) wish: Wish,
    pub(crate) encoder: Encoder<'a>,
}

impl<'a> Reader<'a> {
    /// The reader of a call; `None` when the function shall simply run. `describes`: whether its codec does,
    /// given that of the cache.
    pub(crate) fn of(
        call: &'a Call,
        policy: &'a Policy,
        describes: impl FnOnce(Format) -> bool,
    ) -> Option<Self> {
        let mut reader = Self::new(call, policy)?;
        reader.encoder.describes = describes(reader.inner.settings.format);
        Some(reader)
    }

    fn new(call: &'a Call, policy: &'a Policy) -> Option<Self> {
        let (inner, key) = call.target().filter(|_| call.asks())?;
        let function = call.function;
        if inner.settings.is_unfit(policy) {
            let first = function.without_policy.first();
            inner.emit(&function.site, &Event::NoPolicy(first));
            return None;
        }
        if call.tags.are_too_many() {
            inner.emit(&function.site, &Event::TooManyTags);
            return None;
        }
        Some(Self {
            inner,
            key,
            tags: &call.tags,
            wish: call.wish,
            encoder: Encoder {
                inner,
                key,
                function,
                policy,
                describes: false,
                version: call.version,
                origin: call.origin,
            },
        })
    }

    /// What the level in process memory has for it.
    pub(crate) fn local(&self) -> Option<Arc<Live>> {
        let source = Source::of(self.inner, self.encoder.policy);
        local::entry(&source, self.key, self.tags)
    }

    pub(crate) fn lookup(&self) -> Lookup<'a> {
        let Encoder {
            function, policy, ..
        } = self.encoder;
        Lookup::new(self.inner, function, self.key, self.tags, policy)
    }

    pub(crate) fn fill(
        &self,
        right: FillRight,
        flight: Option<Flight>,
        held: impl Send + 'static,
        encoded: EncodedEntry,
    ) -> Filling {
        let (site, right) = (&self.encoder.function.site, (right, flight));
        Filling::new(self.inner, site, self.key, right, held, encoded)
    }

    pub(crate) fn judge(&self, live: &Live) -> Freshness {
        judge(&self.encoder, live)
    }

    /// The policy with all that its name and the defaults add.
    pub(crate) fn policy(&self) -> Policy {
        let policy = self.inner.settings.resolve(self.encoder.policy);
        policy.unwrap_or(*self.encoder.policy)
    }

    /// Counts an entry that is served.
    pub(crate) fn serve(&self, live: &Live, status: Status) {
        context::served(&live.header);
        if status == Status::Stale {
            context::served_stale();
        }
        self.answered(status, Some(&live.entry));
    }

    /// Counts an answer, and describes it to whoever asked. A load is one as soon as it begins: it may
    /// fail, or be given up.
    pub(crate) fn answered(&self, status: Status, entry: Option<&Bytes>) {
        self.emit(&Event::of(status));
        self.describe(status, entry);
    }

    /// Describes an answer that has been counted.
    pub(crate) fn describe(&self, status: Status, entry: Option<&Bytes>) {
        if self.wish.is_told() {
            self.tell(status, entry);
        }
    }

    #[inline(never)]
    fn tell(&self, status: Status, entry: Option<&Bytes>) {
        let info = info(self.inner, self.key, self.tags, status, entry);
        control::collect(self.wish.place, self.key, || info.clone());
        if self.wish.info {
            control::report(info);
        }
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.encoder.function.site, event);
    }
}

/// What there is to tell of an answer.
pub(crate) fn info(
    inner: &Inner,
    key: &str,
    tags: &Tags,
    status: Status,
    entry: Option<&Bytes>,
) -> CacheInfo {
    let (now_ms, entry) = (inner.store.now_ms(key), entry.map(Bytes::as_ref));
    let info = CacheInfo::of(status, key, entry, now_ms);
    match info.has_entry() {
        true => info.tagged(&inner.namespace, tags, entry),
        false => info,
    }
}

/// How fresh an entry is for its function. Without an option that asks for its age, one that is
/// not kept beyond its TTL need not be asked.
pub(crate) fn judge(encoder: &Encoder<'_>, live: &Live) -> Freshness {
    let Encoder {
        inner, key, policy, ..
    } = encoder;
    let header = &live.header;
    if header.is_pending() {
        return Freshness::Fresh;
    }
    if encoder.version.is_some() && live.version() != encoder.version {
        return Freshness::Dead;
    }
    if !policy.watches_age() && header.flags & WINDOW == 0 {
        return Freshness::Fresh;
    }
    let policy = inner.settings.resolve(policy).unwrap_or(**policy);
    freshness::judge(&policy, header, inner.store.now_ms(key))
}
