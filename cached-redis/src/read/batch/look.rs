//! From keys to entries, or to the rights to load them: the part of the flow that does not depend on
//! the type of the values, so it is compiled once.

use std::sync::Arc;

use bytes::Bytes;

use super::leases::Leases;
use crate::engine::handle::Inner;
use crate::engine::tags::{self, Life};
use crate::engine::{context, transaction};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::flight::{Flight, Landing, Place, Seat};
use crate::protocol::journal::Pass;
use crate::read::search::Seen;
use crate::store::Store as _;
use crate::store::many::{Asked, Granted};
use crate::wire::entry::{Live, names_tags};

/// A batch asks under no tags.
const UNTAGGED: u64 = 0;

/// Where one key stands.
pub(super) enum Spot {
    /// There is an entry to decode.
    Live(Live, Pass),
    /// Nothing usable: only the bytes of a dead entry, if any.
    Open(Pass, Option<Bytes>),
    /// The right to load it.
    Lead(Flight),
    /// Somebody here loads it.
    Seat(Seat),
    /// Another process loads it.
    Elsewhere,
    /// It changes: look again.
    Again,
    /// The store is away, its invalidation or that of a tag is to be replayed, a writer bars it, or what is
    /// loaded is that of an open transaction: load without it.
    Alone,
}

/// Looks all `keys` up, in one round trip; those that somebody here loads need no look.
pub(super) async fn look(
    inner: &Arc<Inner>,
    function: &'static Function,
    keys: &[&str],
) -> Vec<Spot> {
    let mut spots = Vec::with_capacity(keys.len());
    let mut asked = Vec::with_capacity(keys.len());
    let open = transaction::is_open();
    for (at, key) in keys.iter().enumerate() {
        let joined = inner.journal.pass(key).map(|pass| {
            let seat = inner.flights.join(key, UNTAGGED).map(Spot::Seat);
            let joins = !open && !context::leads(inner, key);
            seat.filter(|_| joins).unwrap_or_else(|| {
                asked.push((at, pass));
                Spot::Again
            })
        });
        spots.push(joined.unwrap_or_else(|| {
            // Which is the business of a task that has to be there.
            inner.runtime.tend();
            Spot::Alone
        }));
    }
    let wanted: Vec<_> = asked.iter().map(|(at, _)| keys[*at]).collect();
    if wanted.is_empty() {
        return spots;
    }
    match seen(inner, function, &wanted).await {
        Ok(seen) => {
            for ((at, pass), (seen, life)) in asked.into_iter().zip(seen) {
                spots[at] = match spot(inner, function, pass, seen, life) {
                    Spot::Elsewhere if open => Spot::Alone,
                    // Nobody can store it, or it is this very load that does: nobody is to be waited for.
                    Spot::Open(..) | Spot::Elsewhere
                        if inner.oversize.rests(keys[at]) || context::leads(inner, keys[at]) =>
                    {
                        Spot::Alone
                    }
                    spot => spot,
                };
            }
        }
        Err(error) => {
            inner.emit(&function.site, &Event::Away(&error));
            for (at, _) in asked {
                spots[at] = Spot::Alone;
            }
        }
    }
    spots
}

/// What stands under `keys`, and whether it is alive by its tags.
async fn seen(
    inner: &Inner,
    function: &'static Function,
    keys: &[&str],
) -> Result<Vec<(Seen, Life)>, StoreError> {
    let entries = inner.store.get_all(keys).await?.into_iter();
    let seen: Vec<_> = entries
        .map(|entry| Seen::of(inner, function, entry))
        .collect();
    let tagged = seen.iter().filter_map(Seen::tagged);
    let tagged: Vec<_> = tagged.collect();
    // The way of all that have nothing to do with tags.
    let lives = match tagged.as_slice() {
        [] => Vec::new(),
        tagged => tags::judge_all(inner, tagged).await?,
    };
    let mut lives = lives.into_iter();
    let judged = |seen: Seen| {
        let life = seen.tagged().and_then(|_| lives.next());
        (seen, life.unwrap_or(Life::Alive))
    };
    Ok(seen.into_iter().map(judged).collect())
}

/// A key that can be had, if nobody is quicker.
pub(super) struct Claim<'a> {
    pub(super) key: &'a str,
    pub(super) pass: Pass,
    /// The dead entry that stands there.
    pub(super) over: Option<Bytes>,
}

/// Enters the flights of `claims` and asks for their leases, in one round trip. It waits for nobody,
/// so that whoever holds some keys never waits for others that somebody holds who waits for these.
pub(super) async fn contend(
    inner: &Arc<Inner>,
    function: &'static Function,
    policy: &Policy,
    claims: Vec<Claim<'_>>,
) -> (Leases, Vec<Spot>) {
    let mut leases = Leases::new(inner);
    if transaction::is_open() {
        return (leases, claims.iter().map(|_| Spot::Alone).collect());
    }
    let (mut spots, mut led, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for (at, Claim { key, pass, over }) in claims.into_iter().enumerate() {
        spots.push(match inner.flights.enter(key, UNTAGGED) {
            Place::Seat(_) if context::leads(inner, key) => Spot::Alone,
            Place::Seat(seat) => Spot::Seat(seat),
            Place::Lead(flight) => {
                led.push((at, pass, flight));
                asked.push(Asked { key, over });
                Spot::Again
            }
        });
    }
    if asked.is_empty() {
        return (leases, spots);
    }
    let answers = leases.acquire(&asked).await;
    let failed = answers.iter().find_map(|answer| answer.as_ref().err());
    if let Some(error) = failed {
        inner.emit(&function.site, &Event::Away(error));
    }
    let before = asked.iter().map(|asked| asked.over.as_deref());
    let granted = answers.iter().map(|answer| *answer == Ok(Granted::Yes));
    let before: Vec<_> = before
        .zip(granted)
        .map(|(over, is)| over.filter(|_| is))
        .collect();
    let free = leases
        .read_tags(policy, before.iter().flatten().copied())
        .await;
    let free = free.unwrap_or_else(|error| {
        inner.emit(&function.site, &Event::Away(&error));
        false
    });
    for (((at, pass, flight), answer), before) in led.into_iter().zip(answers).zip(before) {
        spots[at] = match answer {
            Ok(Granted::Yes) if free || !before.is_some_and(names_tags) => Spot::Lead(flight),
            Ok(Granted::Yes) => refused(flight, Spot::Alone),
            Ok(Granted::No(None)) => Spot::Again,
            Ok(Granted::No(entry)) => {
                let seen = Seen::of(inner, function, entry);
                // Whether its tags have been invalidated is to be looked up.
                let spot = match seen.tagged() {
                    Some(_) => Spot::Again,
                    None => spot(inner, function, pass, seen, Life::Alive),
                };
                refused(flight, spot)
            }
            Err(_) => refused(flight, Spot::Alone),
        };
    }
    (leases, spots)
}

/// Those who joined need not find out for themselves that the store is to be left alone; else they
/// look again, since the flight is dropped.
fn refused(flight: Flight, spot: Spot) -> Spot {
    match spot {
        Spot::Alone => flight.land(Landing::Bypass),
        _ => drop(flight),
    }
    match spot {
        // It may be gone by now, and then its key is to be asked for again.
        Spot::Open(..) => Spot::Again,
        spot => spot,
    }
}

fn spot(
    inner: &Arc<Inner>,
    function: &'static Function,
    pass: Pass,
    seen: Seen,
    life: Life,
) -> Spot {
    match seen {
        // It was looked up on a server that is gone.
        Seen::Live(_) if !inner.journal.stands(pass) => Spot::Again,
        Seen::Live(live) => match life {
            Life::Alive => Spot::Live(live, pass),
            Life::Barred => Spot::Alone,
            Life::Dead => {
                inner.emit(&function.site, &Event::Outdated);
                Spot::Open(pass, Some(live.entry))
            }
        },
        Seen::Absent => Spot::Open(pass, None),
        Seen::Dead(over) => Spot::Open(pass, Some(over.entry().clone())),
        Seen::Leased => Spot::Elsewhere,
        Seen::Barred => Spot::Alone,
        Seen::Expired => Spot::Again,
    }
}
