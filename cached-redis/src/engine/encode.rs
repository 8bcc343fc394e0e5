//! Between a value and its entry.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::context::Said;
use crate::engine::copies::{self, Kept};
use crate::engine::handle::Inner;
use crate::engine::tags::Basis;
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::schema::Schema;
use crate::policy::{Life, Policy};
use crate::store::Store as _;
use crate::wire::codec::{
    self, Checked, Choice, Codec as _, CodecError, Decoded, Encoded, Sample, Sampled, Slot,
};
use crate::wire::entry::{Header, Kind, Live, Token};
use crate::wire::extension::Extensions;
use crate::wire::packing::{self, Unpackable};

/// How long an entry without a value waits for the next load at most.
const MARKER_LIFE: Duration = Duration::from_secs(60);

/// A whole entry and how long it lives.
pub(crate) struct EncodedEntry {
    /// Whether it has no value and only names tags for the next load.
    pub(crate) is_marker: bool,
    pub(crate) basis: Basis,
    pub(crate) header: Header,
    pub(crate) entry: Bytes,
    pub(crate) life: Duration,
}

/// What a load says of the tags of its results.
pub(crate) struct Settled {
    basis: Basis,
    /// Those whose generations were not read before the load.
    unread: Vec<String>,
}

/// Why the result of a load is not stored.
#[derive(Clone, Copy)]
pub(crate) enum NotStored {
    /// It is not to be kept, and so what it was to replace is not to be served any longer.
    Discarded,
    /// The load failed, or was served something stale, which says nothing of what stands there.
    Unfit,
    /// Nor do more tags than an entry can name.
    TooManyTags,
}

impl Settled {
    /// The same of one of the results, which has a basis of its own too.
    pub(crate) fn beside(&self, mut basis: Basis) -> Result<Self, NotStored> {
        let mut parts = self.basis.stamp.parts();
        let same = parts.all(|(key, generation)| basis.stamp.inherit(key, generation));
        let unread = self.unread.clone();
        match (same, basis.stamp.is_full(unread.len())) {
            (false, _) => Err(NotStored::Unfit),
            (true, true) => Err(NotStored::TooManyTags),
            (true, false) => Ok(Self { basis, unread }),
        }
    }
}

/// What is known of a load when its result is packed.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) took: Duration,
    pub(crate) said: Said,
}

impl Loaded {
    /// What is known of something else than a load.
    pub(crate) fn said(said: Said) -> Self {
        let took = Duration::ZERO;
        Self { took, said }
    }
}

/// Makes entries of one function's values, and values of its entries.
#[derive(Clone, Copy)]
pub(crate) struct Encoder<'a> {
    pub(crate) inner: &'a Inner,
    /// Where the entry stands; empty where it is not known yet.
    pub(crate) key: &'a str,
    pub(crate) function: &'static Function,
    pub(crate) policy: &'a Policy,
    /// Whether its codec describes itself.
    pub(crate) describes: bool,
    /// That of the source, if the function can tell it.
    pub(crate) version: Option<u64>,
    /// What surrounds the function, where its key does not say so: see [`instance`](crate::observe::instance).
    pub(crate) origin: Option<u64>,
}

impl<'a> Encoder<'a> {
    /// For values in `codec`, under no key yet, of a function without a version and of no origin.
    pub(crate) fn new(
        inner: &'a Inner,
        function: &'static Function,
        policy: &'a Policy,
        codec: impl Choice,
    ) -> Self {
        Self {
            inner,
            key: "",
            function,
            policy,
            describes: codec.choose(inner.settings.format).self_describing(),
            version: None,
            origin: None,
        }
    }

    /// The value of an entry, `Some(None)` for a known absence; `None` if it is not readable.
    pub(crate) fn decode<C, T>(&self, codec: C, live: &Live) -> Option<Option<T>>
    where
        C: Choice,
        T: Serialize + DeserializeOwned,
    {
        let mut decoded = Decoded::new(codec.choose(self.inner.settings.format));
        self.decode_into(live, &mut decoded)
            .then_some(decoded.value)
    }

    /// Whether the entry is readable. Nothing is decoded of a known absence.
    fn decode_into(&self, live: &Live, slot: &mut dyn Slot) -> bool {
        let additive = || self.is_additive();
        let decode =
            |payload: Cow<'_, [u8]>| codec::decode_into(slot, &live.header, &payload, &additive);
        let is_absent = live.header.kind == Kind::Negative;
        self.is_own(live) && (is_absent || self.unpacked(live).is_some_and(decode))
    }

    fn unpacked<'l>(&self, live: &'l Live) -> Option<Cow<'l, [u8]>> {
        let unpacked = live.unpacked(self.inner.settings.value_bytes);
        if let Err(Unpackable::NotBuilt) = unpacked {
            self.emit(&Event::Packed);
        }
        unpacked.ok()
    }

    /// What is kept beside the entry, if it would decode that, as far as that can be told without doing it.
    pub(crate) fn kept<'l>(&self, codec: impl Choice, live: &'l Live) -> Option<&'l Kept> {
        let kept = copies::kept(codec.choose(self.inner.settings.format), live);
        kept.filter(|_| self.is_own(live))
    }

    /// Whether an entry is what was loaded.
    pub(crate) fn equals(&self, standing: &Live, loaded: Sampled<'_>) -> bool {
        match loaded.value() {
            Some(loaded) => loaded.is_same(|slot| self.decode_into(standing, slot)),
            None => self.is_own(standing) && standing.header.kind == Kind::Negative,
        }
    }

    /// Whether entries of another shape are read as well.
    pub(crate) fn is_additive(&self) -> bool {
        let schema = self.inner.settings.schema(self.policy, self.describes);
        if schema.is_none() {
            self.emit(&Event::NotAdditive(self.function.exact.first()));
        }
        schema == Some(Schema::Additive)
    }

    /// Whether it was made in the same type as it is read. One that is known by its key alone, or was
    /// stored by hand, is everybody's.
    pub(crate) fn is_own(&self, live: &Live) -> bool {
        live.is_of(self.origin)
    }

    /// The entry of what a function returned.
    pub(crate) fn judge(
        &self,
        result: Sampled<'_>,
        loaded: &Loaded,
        basis: &Basis,
        verdict: Verdict,
    ) -> Result<EncodedEntry, NotStored> {
        let ttl = verdict.ttl(loaded.said.ttl).ok_or(NotStored::Discarded)?;
        let settled = self.settle(&loaded.said, basis);
        if matches!(settled, Err(NotStored::TooManyTags)) {
            self.emit(&Event::TooManyTags);
        }
        self.entry(result, loaded, ttl, &settled?)
    }

    /// What a load says of the tags of all of its results, beside those of its `basis`.
    pub(crate) fn settle(&self, said: &Said, basis: &Basis) -> Result<Settled, NotStored> {
        if !said.tags.is_empty() || !said.inherited.is_empty() {
            self.inner.finders.add(&self.function.site);
        }
        if said.do_not_store {
            return Err(NotStored::Discarded);
        }
        if said.stale {
            return Err(NotStored::Unfit);
        }
        // Asked before the tags of inner calls are added: their generations may have been read after
        // this load had looked at its source.
        let unread: Vec<_> = said.unread(&basis.stamp).collect();
        let mut basis = basis.clone();
        for (key, generation) in &said.inherited {
            if !basis.stamp.inherit(key, *generation) {
                return Err(NotStored::Unfit);
            }
            // Asked each time, as there may be very many.
            if basis.stamp.is_full(unread.len()) {
                break;
            }
        }
        if basis.stamp.is_full(unread.len()) {
            return Err(NotStored::TooManyTags);
        }
        Ok(Settled { basis, unread })
    }

    /// The entry of one result of a load, or a marker where tags are unread.
    pub(crate) fn entry(
        &self,
        result: Sampled<'_>,
        loaded: &Loaded,
        ttl: Option<Duration>,
        settled: &Settled,
    ) -> Result<EncodedEntry, NotStored> {
        let Settled { basis, unread } = settled;
        let encoded = match unread.is_empty() {
            true => self.encoded(result, loaded, ttl, basis),
            false => self.marker(unread, basis),
        };
        encoded.ok_or(NotStored::Discarded)
    }

    /// The entry of a value, or of an absence; `None` if the policy or the codec does not let it
    /// be kept.
    pub(crate) fn encode(
        &self,
        result: Sampled<'_>,
        took: Duration,
        basis: &Basis,
    ) -> Option<EncodedEntry> {
        let loaded = Loaded {
            took,
            ..Loaded::default()
        };
        self.encoded(result, &loaded, None, basis)
    }

    /// The entry of a value that no load has given.
    pub(crate) fn encode_by_hand<T>(&self, value: &T, basis: &Basis) -> Option<EncodedEntry>
    where
        T: Serialize + DeserializeOwned,
    {
        let value = Checked {
            codec: self.inner.settings.format,
            value,
            equal: None,
        };
        self.encode(Sampled::of(Some(&value)), Duration::ZERO, basis)
    }

    fn encoded(
        &self,
        result: Sampled<'_>,
        loaded: &Loaded,
        ttl: Option<Duration>,
        basis: &Basis,
    ) -> Option<EncodedEntry> {
        self.function.keeps(result.type_name(), self.origin);
        let policy = self.inner.settings.resolve(self.policy)?;
        let life = life(policy, result.value().is_none(), ttl)?;
        let mut header = Header {
            epoch: basis.epoch,
            load_time: u32::try_from(loaded.took.as_micros() / 100).unwrap_or(u32::MAX),
            filled_at: self.inner.store.now_ms(self.key),
            soft_ttl: life.soft_ttl,
            ..Header::new(Kind::Negative, Token::next())
        };
        if loaded.took > life.kept {
            self.emit(&Event::Outlasted(self.function.outlasted.first()));
        }
        let (mut payload, mut packed) = (Vec::new(), false);
        if let Some(value) = result.value() {
            let encoded = match self.payload(value) {
                Ok(encoded) => encoded,
                // The function failed, which only its value shows.
                Err(error) if error.is_failure() => return None,
                Err(error) => {
                    let first = self.function.unstorable.first();
                    self.emit(&Event::Unstorable(&error, first));
                    return None;
                }
            };
            header.kind = Kind::Value;
            header.codec = encoded.codec;
            header.fingerprint = encoded.fingerprint;
            (payload, packed) = self.packed(encoded.payload, policy.compress);
        }
        let mut extensions = Extensions {
            window: life.windowed && header.kind == Kind::Value,
            packed,
            version: self.version,
            origin: self.origin,
            validator: loaded.said.validator.as_deref(),
            ..basis.stamp.extensions(&self.inner.namespace, basis.epoch)
        };
        if extensions.validator.is_some() && extensions.bytes().is_none() {
            self.emit(&Event::LongValidator);
            extensions.validator = None;
        }
        Some(EncodedEntry {
            is_marker: false,
            basis: basis.clone(),
            entry: header.entry(&extensions, &payload)?,
            header,
            life: life.kept,
        })
    }

    /// An entry that is dead from its beginning, and names the tags that the next load has to read.
    fn marker(&self, unread: &[String], basis: &Basis) -> Option<EncodedEntry> {
        let header = Header {
            epoch: basis.epoch,
            filled_at: self.inner.store.now_ms(self.key),
            ..Header::new(Kind::Value, Token::next())
        };
        let extensions = basis.stamp.marker(&self.inner.namespace, unread);
        Some(EncodedEntry {
            is_marker: true,
            basis: basis.clone(),
            entry: header.entry(&extensions, &[])?,
            header,
            life: self.marker_life()?.kept,
        })
    }

    /// That of an entry, or long enough for the next load where each value tells its own.
    fn marker_life(&self) -> Option<Life> {
        let policy = self.inner.settings.resolve(self.policy)?;
        let told = || life(policy, false, Some(MARKER_LIFE));
        life(policy, false, None).or_else(told)
    }

    /// The payload, packed if it is longer than `above` and shorter then. One that is too large for the store
    /// stays so: nobody would unpack it.
    fn packed(&self, payload: Vec<u8>, above: Option<u64>) -> (Vec<u8>, bool) {
        let length = payload.len() as u64;
        let is_meant = above.is_some_and(|above| length > above);
        let packed = match is_meant && length <= self.inner.settings.value_bytes {
            true => packing::pack(&payload),
            false => None,
        };
        packed.map_or((payload, false), |packed| (packed, true))
    }

    fn payload(&self, value: &dyn Sample) -> Result<Encoded, CodecError> {
        // Where one function has many value types, the codec that failed one may do for the next.
        let one_type = !self.function.info.generic;
        if one_type
            && self.function.fell_back.load(Ordering::Relaxed)
            && let Ok(encoded) = value.encode_in_fallback()
        {
            return Ok(encoded);
        }
        let encoded = value.encode()?;
        if let Some(error) = &encoded.fell_back
            && !self.function.fell_back.swap(true, Ordering::Relaxed)
        {
            let compared = value.is_compared();
            self.emit(&Event::FellBack { error, compared });
        }
        Ok(encoded)
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }
}

fn life(policy: Policy, negative: bool, ttl: Option<Duration>) -> Option<Life> {
    policy.lasting(ttl.filter(|_| !negative)).life(negative)
}
