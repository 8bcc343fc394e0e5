//! From keys to entries, or to the rights to load them: the part of the flow that does not depend on
//! the type of the values, so it is compiled once.

use std::sync::Arc;

use bytes::Bytes;

use super::leases::Leases;
use crate::after_commit;
use crate::entry::Live;
use crate::event::Event;
use crate::flight::{Flight, Landing, Place, Seat};
use crate::handle::Inner;
use crate::journal::Pass;
use crate::registry::Function;
use crate::seek::Seen;
use crate::store::Store as _;
use crate::store::many::{Asked, Granted};

/// The entries of a batch have no tags.
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
    /// The store is away, its invalidation is to be replayed, a writer bars it, or what is loaded is that
    /// of an open transaction: load without it.
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
    let open = after_commit::is_open();
    for (at, key) in keys.iter().enumerate() {
        let joined = inner.journal.pass(key).map(|pass| {
            let seat = inner.flights.join(key, UNTAGGED).map(Spot::Seat);
            seat.filter(|_| !open).unwrap_or_else(|| {
                asked.push((at, pass));
                Spot::Again
            })
        });
        spots.push(joined.unwrap_or(Spot::Alone));
    }
    let wanted: Vec<_> = asked.iter().map(|(at, _)| keys[*at]).collect();
    if wanted.is_empty() {
        return spots;
    }
    match inner.store.get_all(&wanted).await {
        Ok(entries) => {
            for ((at, pass), entry) in asked.into_iter().zip(entries) {
                spots[at] = match spot(inner, function, pass, entry) {
                    Spot::Elsewhere if open => Spot::Alone,
                    spot => spot,
                };
            }
        }
        Err(error) => {
            inner.emit(&function.site, &Event::Failed(&error));
            for (at, _) in asked {
                spots[at] = Spot::Alone;
            }
        }
    }
    spots
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
    claims: Vec<Claim<'_>>,
) -> (Leases, Vec<Spot>) {
    let mut leases = Leases::new(inner);
    if after_commit::is_open() {
        return (leases, claims.iter().map(|_| Spot::Alone).collect());
    }
    let (mut spots, mut led, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for (at, Claim { key, pass, over }) in claims.into_iter().enumerate() {
        spots.push(match inner.flights.enter(key, UNTAGGED) {
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
        inner.emit(&function.site, &Event::Failed(error));
    }
    for ((at, pass, flight), answer) in led.into_iter().zip(answers) {
        spots[at] = match answer {
            Ok(Granted::Yes) => Spot::Lead(flight),
            Ok(Granted::No(None)) => Spot::Again,
            Ok(Granted::No(entry)) => refused(flight, spot(inner, function, pass, entry)),
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

fn spot(inner: &Arc<Inner>, function: &'static Function, pass: Pass, entry: Option<Bytes>) -> Spot {
    match Seen::of(inner, function, entry) {
        // It was looked up on a server that is gone.
        Seen::Live(_) if !inner.journal.stands(pass) => Spot::Again,
        // Whether its tags have been invalidated is known to the function that has them.
        Seen::Live(live) if live.header.is_tagged() => Spot::Open(pass, Some(live.entry)),
        Seen::Live(live) => Spot::Live(live, pass),
        Seen::Absent => Spot::Open(pass, None),
        Seen::Dead(entry) => Spot::Open(pass, Some(entry)),
        Seen::Leased(_) => Spot::Elsewhere,
        Seen::Barred => Spot::Alone,
        Seen::Expired(_) | Seen::Outdated(_) => Spot::Again,
    }
}
