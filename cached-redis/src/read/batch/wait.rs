//! Waiting for what others load, here or in another process, while nothing is held.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::call::Item;
use super::map::Many;
use super::{Id, Reader, Round, Value};
use crate::engine::shape::ErrorSharing;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::flight::Landing;
use crate::read::search::{Pause, Seen};
use crate::wire::codec::Choice;
use crate::wire::tag::Tags;

impl<S, E, C, U, F, L> Reader<'_, S, E, C, U, F>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> bool,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    /// Waits for the flights, and then once before the next look at leases of other processes.
    /// Items for which the time is spent go on alone.
    pub(super) async fn wait(&mut self, round: &mut Round<Id<S>>) -> Result<(), S::Error> {
        let waiting = round.seats.len() + round.elsewhere.len();
        if waiting == 0 {
            return Ok(());
        }
        let until = self.until(waiting);
        let untagged = Tags::default();
        for (item, seat) in std::mem::take(&mut round.seats) {
            // Past its load a flight only waits for its fill, and then this reader looks for itself.
            let most = match seat.shares {
                true => until,
                false => Instant::now() + self.inner.settings.wait,
            };
            let landing = seat.landing_for(self.inner, &untagged);
            match timeout_at(most, landing).await {
                Ok(Some(Landing::Bypass) | None) | Err(_) => round.alone.push(item),
                Ok(Some(landing)) => self.landed(item, landing, round)?,
            }
        }
        let elsewhere = std::mem::take(&mut round.elsewhere);
        if elsewhere.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            round.alone.extend(elsewhere);
        } else {
            sleep(self.pause.next()).await;
            round.again.extend(elsewhere);
        }
        Ok(())
    }

    /// Takes what somebody else's load gave, if it can be shared.
    pub(super) fn landed(
        &mut self,
        item: Item<Id<S>>,
        landing: Landing,
        round: &mut Round<Id<S>>,
    ) -> Result<(), S::Error> {
        let item = match landing {
            Landing::Shared(entry) => match Seen::of(self.inner, self.function, Some(entry)) {
                Seen::Live(live) => match self.take(item, live, Status::Joined) {
                    Ok(()) => return Ok(()),
                    Err((item, _)) => item,
                },
                _ => item,
            },
            Landing::Failed(shared) => match self.errors.take(&shared) {
                Some(error) => {
                    self.answered(Status::Joined, None);
                    return Err(error);
                }
                // Another error type under the same key is another function's load: look again.
                None => item,
            },
            Landing::Again | Landing::Bypass => item,
        };
        round.again.push(item);
        Ok(())
    }

    /// Until when this batch waits for others, counted from its first wait.
    fn until(&mut self, waiting: usize) -> Instant {
        if self.budget.begin() {
            (0..waiting).for_each(|_| self.emit(&Event::Wait));
            self.pause = Pause::new(self.inner.counters(&self.function.site).mean_load());
        }
        self.budget.end()
    }
}
