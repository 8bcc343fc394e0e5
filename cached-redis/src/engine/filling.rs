//! The sending of a fill, which goes on without its caller: dropped now, it has a result all the same.
//!
//! Where the store can tell how it ended, it needs no task.

use std::any::Any;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::engine::encode::EncodedEntry;
use crate::engine::fill::{FillRight, close, land, sent};
use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::observe::registry::Site;
use crate::protocol::flight::Flight;
use crate::protocol::read::Fill;
use crate::store::{Answer, Errand, Told, Waiting};
use crate::util::boxed;
use crate::util::lock::Mutex;
use crate::util::work::Begun;

/// What is sent.
pub(crate) struct Filling {
    inner: Arc<Inner>,
    site: &'static Site,
    key: String,
    right: FillRight,
    /// Of those who wait for it.
    flight: Option<Flight>,
    encoded: EncodedEntry,
    /// What is let go after it.
    held: (Box<dyn Any + Send>, Begun),
    /// That of the caller, whatever becomes of the one that the connection lives on.
    runtime: Handle,
}

impl Filling {
    /// To be sent: who comes from here on looks for itself.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        site: &'static Site,
        key: &str,
        (mut right, flight): (FillRight, Option<Flight>),
        held: impl Send + 'static,
        encoded: EncodedEntry,
    ) -> Self {
        right.loaded();
        flight.iter().for_each(close);
        Self {
            inner: Arc::clone(inner),
            site,
            key: key.to_owned(),
            right,
            flight,
            encoded,
            held: (Box::new(held), inner.runtime.work.begin()),
            runtime: inner.runtime.here_or_home(),
        }
    }

    /// Sends it.
    pub(crate) fn send(self) {
        let is_current = self.right.is_current(&self.inner, &self.key);
        match is_current && self.inner.store.takes(self.errand()) {
            true => Step::send(self),
            false => drop(self.spawn()),
        }
    }

    /// The same from a task of its own, which can be waited for.
    pub(crate) fn spawn(self) -> JoinHandle<()> {
        let runtime = self.runtime.clone();
        boxed::spawn(&runtime, self.run())
    }

    async fn run(self) {
        let (inner, key, encoded) = (&*self.inner, &self.key, &self.encoded);
        let (entry, life) = (encoded.entry.clone(), encoded.life);
        let answer = self.right.fill(inner, key, entry, life).await;
        let step = sent(inner, self.site, key, &answer, encoded);
        let ends = self.flight.map(|flight| (flight, step, self.encoded));
        land(inner, ends.into_iter().collect()).await;
        drop(self.held);
    }

    fn errand(&self) -> Errand<'_> {
        let EncodedEntry { entry, life, .. } = &self.encoded;
        Errand::Fill(&self.key, self.right.token(), entry, *life)
    }

    fn told(self, answer: Answer<i64>) {
        match answer {
            Ok(won) => self.ended(Ok(won == 1)),
            Err(error) => {
                let runtime = self.runtime.clone();
                boxed::spawn(&runtime, async move {
                    match error.is_to_be_repeated() {
                        true => self.run().await,
                        false => self.ended(Err(error)),
                    }
                });
            }
        }
    }

    fn ended(self, won: Answer<bool>) {
        let (inner, encoded) = (self.inner, self.encoded);
        let answer = self.right.filled(&inner, &self.key, won);
        let step = sent(&inner, self.site, &self.key, &answer, &encoded);
        match self.flight {
            Some(flight) if step == Fill::Reread && flight.is_joined() => {
                let held = self.held;
                boxed::spawn(&self.runtime, async move {
                    land(&inner, vec![(flight, step, encoded)]).await;
                    drop(held);
                });
            }
            Some(flight) => flight.land(step.landing(false, encoded.entry)),
            None => {}
        }
    }
}

/// One that is sent as a step.
struct Step(Mutex<Option<(Filling, Option<Waiting>)>>);

impl Step {
    fn send(filling: Filling) {
        let inner = Arc::clone(&filling.inner);
        let step = Arc::new(Self(Mutex::default()));
        // Locked until it is sent, so that nobody is told before.
        let mut state = step.0.lock();
        let (filling, waiting) = state.insert((filling, None));
        *waiting = inner.store.tell(filling.errand(), Arc::clone(&step) as _);
        let is_sent = waiting.is_some();
        drop(state);
        if !is_sent {
            step.told(Err(StoreError::Unavailable));
        }
    }
}

impl Told for Step {
    fn told(&self, answer: Answer<i64>) {
        let sent = self.0.lock().take();
        if let Some((filling, waiting)) = sent {
            waiting
                .into_iter()
                .for_each(|waiting| filling.inner.store.measured(waiting));
            filling.told(answer);
        }
    }

    /// Others may wait for it.
    fn is_patient(&self) -> bool {
        false
    }
}
