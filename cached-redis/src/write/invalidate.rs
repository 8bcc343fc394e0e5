//! The write flow: invalidate, put.
//!
//! An invalidation removes the entry *or the lease* under its key. A load that began before it then
//! finds its lease gone and cannot store its result, however late it arrives.
//!
//! Invalidations go on without their callers. A write that was committed must be seen even if
//! its caller is dropped, because a client hung up, at that very moment. Those that the store does not
//! confirm go on in the [`journal`](crate::protocol::journal), before anybody learns that they ended. A write in
//! two phases, which is seen even if its process dies at that moment, is in [`guard`](crate::write::guard), one
//! that ends with its value in [`through`](crate::write::through), and what waits for the commit of a
//! transaction in [`after_commit`].

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::encode::Encoder;
use crate::engine::fill::FillRight;
use crate::engine::handle::Inner;
use crate::engine::label::{self, Label};
use crate::engine::lease::Lease;
use crate::engine::settings::NOT_ADDITIVE;
use crate::engine::tags::Stamp;
use crate::engine::transaction;
use crate::error::Error;
use crate::observe::event::Event;
use crate::observe::registry::{DIRECT, Site};
use crate::observe::status::Filled;
use crate::policy::Policy;
use crate::store::Answer;
use crate::wire::codec::{Codec as _, FromCache};
use crate::wire::tag::Tags;
use crate::wire::targets::Targets;
use crate::write::after_commit;
use crate::write::dispatch::Sent;
use crate::write::invalidation::Invalidation;
use crate::write::removal::Removal;

/// Invalidates `targets`.
pub(crate) async fn invalidate(
    inner: &Arc<Inner>,
    site: &'static Site,
    targets: impl Into<Targets>,
) -> Result<Invalidation, Error> {
    send(Removal::of(inner, site, targets)).await
}

/// Sends what is to be removed, in its turn, and says how that went.
pub(crate) async fn send(removal: Removal) -> Result<Invalidation, Error> {
    match in_turn(removal) {
        Some(sent) => Ok(sent.await),
        None => Ok(Invalidation::Collected),
    }
}

/// Sends what is to be removed, or leaves it to the commit of the transaction that is open here: then
/// `None`.
pub(crate) fn in_turn(removal: Removal) -> Option<Sent> {
    after_commit::collect(removal).map(Removal::sent)
}

/// Refuses a policy under which nothing can be stored.
pub(crate) fn check(inner: &Inner, policy: &Policy) -> Result<(), Error> {
    policy.check("policy")?;
    let settings = &inner.settings;
    let problem = "no TTL: neither the policy nor the builder gives one";
    Error::require(!settings.lacks_ttl(policy), "policy", problem)?;
    let schema = settings.schema(policy, settings.format.self_describing());
    Error::require(schema.is_some(), "policy", NOT_ADDITIVE)
}

/// Stores a value that is current now: takes the lease first, so that an invalidation from here on
/// has precedence over it.
pub(crate) async fn put<T>(
    inner: &Arc<Inner>,
    policy: &Policy,
    key: &str,
    label: &Label,
    value: &T,
) -> Result<bool, Error>
where
    T: Serialize + DeserializeOwned,
{
    check(inner, policy)?;
    let Label { tags, version } = match label.fitted(inner, key) {
        Ok(fitted) => fitted,
        Err(reader) => {
            label::unlabelled(inner, &DIRECT.site, reader);
            invalidate(inner, &DIRECT.site, vec![key.to_owned()]).await?;
            return Ok(false);
        }
    };
    if tags.are_too_many() {
        return Err(Error::setting("tags", "more than an entry can have"));
    }
    if transaction::is_open() || inner.journal.pass_all(key, tags.keys()).is_none() {
        return Ok(false);
    }
    let Some(lease) = stamped_lease(inner, policy, key, &tags).await? else {
        inner.emit(&DIRECT.site, &Event::Refused);
        return Ok(false);
    };
    let encoder = Encoder {
        key,
        version,
        ..Encoder::new(inner, &DIRECT, policy, FromCache)
    };
    let encoded = encoder
        .encode_by_hand(value, lease.basis())
        .ok_or(Error::Unstorable)?;
    let size = encoded.entry.len();
    let right = FillRight::Lease(lease);
    let filled = right.fill(inner, key, encoded.entry, encoded.life).await;
    inner.emit(
        &DIRECT.site,
        &match &filled {
            Ok(filled) => Event::filled(*filled, size),
            Err(error) => inner.not_stored(&DIRECT.site, key, size, error),
        },
    );
    match filled {
        Err(error) if error.is_barred() => Ok(false),
        filled => Ok(filled? == Filled::Stored),
    }
}

/// `None`: the key is barred, or one of its tags is.
async fn stamped_lease(
    inner: &Arc<Inner>,
    policy: &Policy,
    key: &str,
    tags: &Tags,
) -> Answer<Option<Lease>> {
    let Some(lease) = Lease::seize(inner, key).await? else {
        return Ok(None);
    };
    let stamp = Stamp::take(inner, tags, policy, None).await?;
    Ok(stamp.map(|stamp| lease.stamped(stamp)))
}
