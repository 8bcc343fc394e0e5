//! Between a value and its entry.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::context::Said;
use crate::engine::handle::Inner;
use crate::engine::shape::Shape;
use crate::engine::tags::Basis;
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::schema::Schema;
use crate::policy::{Life, Policy};
use crate::store::Store as _;
use crate::wire::codec::{self, Choice, CodecError, Encoded, Equal, Msgpack};
use crate::wire::entry::{Header, Kind, Live, Token};
use crate::wire::extension::{Extensions, MOST_NAMED};

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

/// What the results of a load say of their tags.
pub(crate) struct Settled {
    pub(crate) basis: Basis,
    /// Those whose generations were not read before the load.
    unread: Vec<String>,
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
pub(crate) struct Encoder<'a, C> {
    pub(crate) inner: &'a Inner,
    pub(crate) function: &'static Function,
    pub(crate) policy: &'a Policy,
    pub(crate) codec: C,
    /// That of the source, if the function can tell it.
    pub(crate) version: Option<u64>,
    /// What surrounds the function, where its key does not say so: see [`instance`](crate::observe::instance).
    pub(crate) origin: Option<u64>,
}

impl<C: Choice> Encoder<'_, C> {
    /// The value of an entry, `Some(None)` for a known absence; `None` if it is not readable.
    pub(crate) fn decode<T>(&self, live: &Live) -> Option<Option<T>>
    where
        T: Serialize + DeserializeOwned,
    {
        if !self.is_own(live) {
            return None;
        }
        if live.header.kind == Kind::Negative {
            return Some(None);
        }
        let codec = self.codec.choose(self.inner.settings.format);
        let additive = || self.is_additive();
        codec::decode_checked(&codec, &live.header, live.payload(), additive).map(Some)
    }

    /// Whether entries of another shape are read as well.
    pub(crate) fn is_additive(&self) -> bool {
        let codec = self.codec.choose(self.inner.settings.format);
        let schema = self.inner.settings.schema(self.policy, &codec);
        if schema.is_none() {
            self.emit(&Event::NotAdditive(self.function.exact.first()));
        }
        schema == Some(Schema::Additive)
    }

    /// Whether it was made in the same type as it is read. One that is known by its key alone, or was
    /// stored by hand, is everybody's.
    pub(crate) fn is_own(&self, live: &Live) -> bool {
        self.origin.is_none()
            || live
                .origin()
                .is_none_or(|origin| self.origin == Some(origin))
    }

    /// The entry of what a function returned, if it is to be stored.
    pub(crate) fn judge<S>(
        &self,
        shape: S,
        ok: &S::Ok,
        loaded: &Loaded,
        basis: &Basis,
        verdict: Verdict,
    ) -> Option<EncodedEntry>
    where
        S: Shape<Value: Serialize + DeserializeOwned>,
    {
        let ttl = verdict.ttl(loaded.said.ttl)?;
        let settled = self.settle(&loaded.said, basis)?;
        self.entry(S::value(ok), shape.equal(), loaded, ttl, &settled)
    }

    /// What the results of a load say of their tags; `None` if they are not to be stored.
    pub(crate) fn settle(&self, said: &Said, basis: &Basis) -> Option<Settled> {
        if !said.tags.is_empty() || !said.inherited.is_empty() {
            self.inner.finders.add(&self.function.site);
        }
        if said.forbids() {
            return None;
        }
        // Asked before the tags of inner calls are added: their generations may have been read after
        // this load had looked at its source.
        let unread = said.unread(basis).collect();
        let mut basis = basis.clone();
        for (key, generation) in &said.inherited {
            if !basis.stamp.inherit(key, *generation) {
                return None;
            }
            // Asked each time, as there may be very many.
            if basis.stamp.is_full() {
                break;
            }
        }
        if basis.stamp.is_full() {
            self.emit(&Event::TooManyTags);
            return None;
        }
        Some(Settled { basis, unread })
    }

    /// The entry of one result of a load, or a marker where tags are unread.
    pub(crate) fn entry<T>(
        &self,
        value: Option<&T>,
        equal: Equal<T>,
        loaded: &Loaded,
        ttl: Option<Duration>,
        settled: &Settled,
    ) -> Option<EncodedEntry>
    where
        T: Serialize + DeserializeOwned,
    {
        let Settled { basis, unread } = settled;
        match unread.is_empty() {
            true => self.encoded(value, equal, loaded, ttl, basis),
            false => self.marker(unread, basis),
        }
    }

    /// The entry of a value, or of an absence; `None` if the policy or the codec does not let it
    /// be kept.
    pub(crate) fn encode<T>(
        &self,
        value: Option<&T>,
        equal: Equal<T>,
        took: Duration,
        basis: &Basis,
    ) -> Option<EncodedEntry>
    where
        T: Serialize + DeserializeOwned,
    {
        let loaded = Loaded {
            took,
            ..Loaded::default()
        };
        self.encoded(value, equal, &loaded, None, basis)
    }

    fn encoded<T>(
        &self,
        value: Option<&T>,
        equal: Equal<T>,
        loaded: &Loaded,
        ttl: Option<Duration>,
        basis: &Basis,
    ) -> Option<EncodedEntry>
    where
        T: Serialize + DeserializeOwned,
    {
        self.function.keeps::<T>(self.origin);
        let life = self.life(value.is_none(), ttl)?;
        let mut header = Header {
            epoch: basis.epoch,
            load_time: u32::try_from(loaded.took.as_micros() / 100).unwrap_or(u32::MAX),
            filled_at: self.inner.store.now_ms(),
            soft_ttl: life.soft_ttl,
            ..Header::new(Kind::Negative, Token::next())
        };
        let mut payload = Vec::new();
        if let Some(value) = value {
            let encoded = match self.payload(value, equal) {
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
            payload = encoded.payload;
        }
        let mut extensions = Extensions {
            window: life.windowed && header.kind == Kind::Value,
            version: self.version,
            origin: self.origin,
            validator: loaded.said.validator.as_deref(),
            ..basis.stamp.extensions(&self.inner.namespace)
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
            filled_at: self.inner.store.now_ms(),
            ..Header::new(Kind::Value, Token::next())
        };
        let extensions = basis.stamp.marker(&self.inner.namespace, unread);
        let is_full = extensions.named.len() > MOST_NAMED;
        if is_full {
            self.emit(&Event::TooManyTags);
        }
        Some(EncodedEntry {
            is_marker: true,
            basis: basis.clone(),
            entry: header.entry(&extensions, &[]).filter(|_| !is_full)?,
            header,
            life: self.marker_life()?.kept,
        })
    }

    /// That of an entry, or long enough for the next load where each value tells its own.
    fn marker_life(&self) -> Option<Life> {
        let told = || self.life(false, Some(MARKER_LIFE));
        self.life(false, None).or_else(told)
    }

    fn life(&self, negative: bool, ttl: Option<Duration>) -> Option<Life> {
        let policy = self.inner.settings.resolve(self.policy)?;
        policy.lasting(ttl.filter(|_| !negative)).life(negative)
    }

    fn payload<T>(&self, value: &T, equal: Equal<T>) -> Result<Encoded, CodecError>
    where
        T: Serialize + DeserializeOwned,
    {
        // Where one function has many value types, the codec that failed one may do for the next.
        let one_type = !self.function.info.generic;
        if one_type
            && self.function.fell_back.load(Ordering::Relaxed)
            && let Ok(encoded) = codec::encode_checked(&Msgpack, value, equal)
        {
            return Ok(encoded);
        }
        let codec = self.codec.choose(self.inner.settings.format);
        let encoded = codec::encode_checked(&codec, value, equal)?;
        if let Some(error) = &encoded.fell_back
            && !self.function.fell_back.swap(true, Ordering::Relaxed)
        {
            let compared = equal.is_some();
            self.emit(&Event::FellBack { error, compared });
        }
        Ok(encoded)
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }
}
