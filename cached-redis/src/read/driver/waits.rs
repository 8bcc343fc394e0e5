//! What a call waits for that is no hit. By value, as it is in a future of its own meanwhile.

use std::mem;
use std::time::Duration;

use super::{At, Do, Driver, Next};
use crate::engine::transaction;
use crate::observe::status::Status;
use crate::protocol::bypass::BypassLoad;
use crate::read::background::Job;
use crate::read::local::Shown;
use crate::read::peek;
use crate::read::renew::Renewal;
use crate::read::right::Right;
use crate::read::search::Found;

impl<'a> Driver<'a> {
    /// Waits for what is next, if need be for the turn of a load without a lease.
    pub(crate) async fn wait(mut self, place: Option<BypassLoad>) -> (Self, Option<Next<'a>>) {
        let next = match (mem::replace(&mut self.at, At::Search), place) {
            (_, Some(place)) => {
                place.start().await;
                Some(self.load(Right::Bypass(place)))
            }
            (At::Search, None) => self.contend().await,
            (at, None) => self.take(at).await,
        };
        (self, next)
    }

    /// Whether what was read is served, although the load has failed.
    pub(crate) async fn falls_back(mut self) -> (Self, bool) {
        let falls_back = match (&self.at, &self.kept) {
            (At::Serve(_), _) => true,
            (At::FallBack, Some(_)) => {
                let stands = self.lookup().stands().await;
                self.at = At::Serve(Status::Stale);
                stands
            }
            _ => false,
        };
        (self, falls_back)
    }

    /// Goes on where there is no hit.
    async fn contend(&mut self) -> Option<Next<'a>> {
        let right = match self.lookup().contend().await {
            Found::Live(live, status) => return Some(self.read(live, status)),
            Found::Failed(shared) => return Some(Next::Do(Do::Fail(shared))),
            Found::Lead(flight, lease, previous) => Right::Lease(lease, flight, previous),
            Found::Bypass(place) => {
                place.start().await;
                Right::Bypass(place)
            }
            Found::Renew(granted) => {
                let (flight, claim) = *granted;
                let renewal = Renewal::claimed(flight, claim, self.kept.as_ref()?);
                self.reader.describe(Status::Miss, None);
                self.at = At::FallBack;
                let patience = self.reader.policy().soft_timeout;
                return self.renew(renewal, patience, patience.is_some()).await;
            }
            Found::Kept => {
                match self.kept.is_some() && self.lookup().stands().await {
                    true => self.at = At::Serve(Status::Stale),
                    false => self.lookup().lost(),
                }
                return None;
            }
        };
        Some(self.load(right))
    }

    /// Goes on where no entry is looked for.
    async fn take(&mut self, at: At) -> Option<Next<'a>> {
        match at {
            At::Audit(status) => {
                self.at = At::Serve(status);
                Some(self.job(Right::Unstored(self.kept.as_deref().cloned()), None))
            }
            At::Renew(status) => {
                self.at = At::Serve(status);
                let renewal = self.reader.renewal(self.kept.as_ref()?)?;
                self.renew(renewal, None, true).await
            }
            At::Shadow => {
                self.at = At::Refresh { hit: false };
                // An open transaction sees what is not for others to be compared with. A store that fails is
                // told of where the result is to be stored.
                let standing = match transaction::is_open() {
                    true => return None,
                    false => peek::standing(self.reader.inner, self.reader.key, self.reader.tags),
                };
                let live = standing.await.ok().flatten()?;
                self.at = At::ShadowFound;
                Some(Next::Read(Shown::Read(live)))
            }
            At::Compare => {
                let right = Right::Unstored(self.kept.take().map(|live| *live));
                Some(self.load(right))
            }
            At::Refresh { hit } => {
                let right = self.reader.obtain(hit).await;
                Some(self.load(right))
            }
            // It goes on without its caller.
            At::FallBack => {
                self.at = At::Serve(Status::Stale);
                None
            }
            At::Search | At::Found(_) | At::ShadowFound | At::Serve(_) => None,
        }
    }

    fn job(&self, right: Right, patience: Option<Duration>) -> Next<'a> {
        Next::Do(Do::Detach(Job::new(&self.reader, right, patience)))
    }

    /// Loads anew: in the background if it may be there.
    async fn renew(
        &self,
        renewal: Renewal,
        patience: Option<Duration>,
        may_detach: bool,
    ) -> Option<Next<'a>> {
        let right = Right::Renewal(Box::new(renewal));
        match self.detaches && may_detach {
            true => Some(self.job(right, patience)),
            false => self.reader.claimed(right).await.map(Do::Load).map(Next::Do),
        }
    }
}
