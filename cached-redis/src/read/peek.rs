//! Looks at an entry without loading it.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::label::Label;
use crate::engine::source::Source;
use crate::engine::{context, tags};
use crate::error::{Error, StoreError};
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::observe::status::Status;
use crate::protocol::freshness;
use crate::read::{control, reader};
use crate::store::Store as _;
use crate::wire::codec::FromCache;
use crate::wire::entry::{Header, Kind, Live};
use crate::wire::tag::Tags;

/// The value under `key`, for those who do not load.
pub(crate) async fn peek<T>(inner: &Inner, key: &str, label: &Label) -> Result<Option<T>, Error>
where
    T: Serialize + DeserializeOwned,
{
    let (now_ms, place) = (inner.store.now_ms(key), control::begin());
    let live = look(inner, key, &label.tags).await?.filter(|live| {
        matches!(live.header.kind, Kind::Value | Kind::Pending)
            && !freshness::is_past_ttl(&live.header, now_ms)
            && label.fits(live)
    });
    let Some(live) = live else {
        return Ok(None);
    };
    context::served(&live.header);
    let encoder = Encoder::new(inner, &DIRECT, &DIRECT.info.policy, FromCache);
    let value = encoder.decode(FromCache, &live);
    let event = match value.is_some() {
        true => {
            let info = || reader::info(inner, key, &label.tags, Status::Hit, Some(&live.entry));
            control::collect(place, key, info);
            Event::Hit
        }
        false => Event::Undecodable,
    };
    inner.emit(&DIRECT.site, &event);
    Ok(value.flatten())
}

/// The entry that stands under `key`; nothing, while its invalidation or that of one of its tags is
/// to be replayed.
async fn look(inner: &Inner, key: &str, tags: &Tags) -> Result<Option<Live>, StoreError> {
    while let Some(pass) = inner.journal.pass_all(key, tags.keys()) {
        let entry = inner.store.get(key).await?;
        let live = match entry.and_then(|entry| live(inner, key, entry)) {
            Some(live) => tags::alive(inner, tags, live).await?,
            None => None,
        };
        if inner.journal.stands(pass) {
            return Ok(live);
        }
    }
    Ok(None)
}

/// The same for a reader that knows the tags; in one round trip.
pub(crate) async fn standing(
    inner: &Inner,
    key: &str,
    tags: &Tags,
) -> Result<Option<Live>, StoreError> {
    if inner.journal.pass_all(key, tags.keys()).is_none() {
        return Ok(None);
    }
    let (entry, generations) = tags::look(&Source::store(inner), key, tags).await?;
    let Some(live) = entry.and_then(|entry| live(inner, key, entry)) else {
        return Ok(None);
    };
    let life = generations
        .judge(&Source::store(inner), tags, &live)
        .await?;
    Ok((life == tags::Life::Alive).then_some(live))
}

fn live(inner: &Inner, key: &str, entry: Bytes) -> Option<Live> {
    let (header, _) = Header::parse(&entry)?;
    let is_live = match header.kind {
        Kind::Value | Kind::Negative => inner.store.is_current(key, header.epoch),
        kind => kind == Kind::Pending,
    };
    is_live.then_some(Live::new(header, entry))
}
