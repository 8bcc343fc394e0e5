//! A write in two phases, from its begin until its end is sent; see [`guard`](crate::write::guard).

use std::sync::Arc;
use std::time::Duration;

use crate::engine::encode::EncodedEntry;
use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::protocol::outbox::Announcement;
use crate::store::{Answer, Store as _};
use crate::util::beats::{Beat, Beating};
use crate::util::boxed::Boxed;
use crate::util::lock::Mutex;
use crate::wire::entry::Token;
use crate::wire::targets::Targets;
use crate::write::attempt::{Part, Sending};
use crate::write::parcel::Parcel;

/// See the module.
pub(crate) struct GuardedWrite {
    pub(crate) inner: Arc<Inner>,
    pub(crate) site: &'static Site,
    /// Keys alone.
    targets: Arc<Targets>,
    pub(crate) token: Token,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What there is to be at the end.
    hold_off: Option<Duration>,
    /// What others are to hear of the end.
    event: Option<Announcement>,
    /// Its end is awaited until it has settled.
    settled: bool,
    /// What it ends with.
    written: Option<EncodedEntry>,
    signs: Option<Beating>,
    ended: bool,
    /// Whether the keys were not barred for a while, so that others may have written unnoticed.
    lapsed: bool,
}

impl GuardedWrite {
    pub(crate) fn new(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            site,
            targets: Arc::new(keys.into()),
            token: Token::next(),
            state: Mutex::new(State {
                hold_off,
                ..State::default()
            }),
        }
    }

    pub(crate) fn keys(&self) -> &[String] {
        &self.targets.keys
    }

    /// What its end removes.
    pub(crate) fn part(&self) -> Part {
        Part {
            site: self.site,
            targets: Targets::clone(&self.targets),
            publish: false,
        }
    }

    /// Has the end published.
    pub(crate) fn publish(&self) {
        let event = || Announcement::new(&self.inner.outbox, self.site, &self.targets);
        self.state.lock().event.get_or_insert_with(event);
    }

    pub(crate) fn settle(&self) {
        self.state.lock().settled = true;
    }

    /// Where the end has to settle.
    pub(crate) fn settles(&self) -> Option<Arc<Inner>> {
        let settled = self.state.lock().settled;
        settled.then(|| Arc::clone(&self.inner))
    }

    /// The value that is to be there at the end.
    pub(crate) fn write(&self, written: Option<EncodedEntry>) {
        self.state.lock().written = written;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    pub(crate) fn has_lapsed(&self) -> bool {
        self.state.lock().lapsed
    }

    pub(crate) async fn begin(&self) -> Answer<()> {
        let (store, hold) = (&self.inner.store, self.hold());
        store.begin(self.keys(), self.token, hold).await?;
        // Those who read in the write itself are to see what it changes.
        self.inner.journal.barred(&self.targets);
        // Loads that run can no longer be stored, so nobody should wait for them.
        self.inner.flights.abandon_all(self.keys());
        Ok(())
    }

    /// It did not begin, but some keys may be barred. Unanswered, their hold runs out by itself.
    pub(crate) fn give_up(self: &Arc<Self>) {
        self.state.lock().ended = true;
        let (write, task) = (Arc::clone(self), self.inner.runtime.work.begin());
        self.inner.runtime.spawn(async move {
            write.open_again().await;
            drop(task);
        });
    }

    async fn open_again(&self) {
        let _ = self.inner.store.end(self.keys(), self.token, None).await;
    }

    /// If this process dies, the hold stands in for the hold-off too.
    fn hold(&self) -> Duration {
        let lag = self.state.lock().hold_off.unwrap_or_default();
        self.inner.settings.hold.saturating_add(lag)
    }

    /// Until the end.
    pub(crate) fn give_signs(self: &Arc<Self>) {
        let signs = self.inner.runtime.beat(self.inner.settings.hold / 3, self);
        self.state.lock().signs = Some(signs);
    }

    /// For so long after the end nobody is to store what is loaded. The hold is longer from now on.
    pub(crate) fn hold_off(self: &Arc<Self>, lag: Duration) {
        self.state.lock().hold_off = Some(lag);
        self.inner.runtime.spawn(Arc::clone(self).beat());
    }

    async fn sign(&self) {
        if self.has_ended() {
            return;
        }
        let (store, hold) = (&self.inner.store, self.hold());
        // Without an answer the next one tries again.
        if store.hold(self.keys(), self.token, hold).await == Ok(false) && self.lapse() {
            // Barred again, and what was stored meanwhile is gone.
            let _ = self.begin().await;
            if self.has_ended() {
                self.open_again().await;
            }
        }
    }

    /// It ends now: what is to be sent, at least, and the value.
    pub(crate) fn close(&self) -> (Sending, Option<EncodedEntry>) {
        let mut state = self.state.lock();
        state.ended = true;
        let (hold_off, event) = (state.hold_off, state.event.clone());
        let (written, signs) = (state.written.take(), state.signs.take());
        drop(state);
        drop(signs);
        let sending = Sending::new(&self.inner, self.site, &self.targets, hold_off, event);
        (sending, written)
    }

    pub(crate) fn parcel(&self) -> Parcel {
        let state = self.state.lock();
        Parcel {
            targets: vec![Arc::clone(&self.targets)],
            hold_off: state.hold_off,
            events: state.event.clone().into_iter().collect(),
        }
    }

    /// The tombstone was gone before the end, which then is one without a value. `false`: it was gone
    /// after the end.
    fn lapse(&self) -> bool {
        let (ended, known) = {
            let mut state = self.state.lock();
            let ended = state.ended;
            (ended, ended || std::mem::replace(&mut state.lapsed, true))
        };
        if !known {
            self.tell_lapsed();
        }
        !ended
    }

    /// The same, as the end has shown; or the end has shown nothing, which is told in another way.
    pub(crate) fn lapsed(&self, is_shown: bool) {
        let known = std::mem::replace(&mut self.state.lock().lapsed, true);
        // It was told if it was noticed before.
        if is_shown && !known {
            self.tell_lapsed();
        }
    }

    fn tell_lapsed(&self) {
        // Elsewhere any invalidation removes a tombstone.
        if self.inner.settings.guarded {
            self.inner.emit(self.site, &Event::GuardLapsed);
        }
    }
}

impl Beat for GuardedWrite {
    fn beat(self: Arc<Self>) -> Boxed<'static, bool> {
        Box::pin(async move {
            self.sign().await;
            !self.has_ended()
        })
    }
}
