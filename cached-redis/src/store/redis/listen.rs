//! Hearing what is sent on a channel, on a connection of its own.
//!
//! A server sends each message once, to those who are subscribed at that moment. So whatever was sent
//! between the loss of a connection and the next subscription is missed, and each subscription but a
//! first one that succeeds at once is told as a gap. A connection that is silent is asked for a sign
//! of life: a server that has vanished sends no messages either.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use redis::aio::PubSub;
use redis::{Msg, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::dial::Way;
use super::handshake;
use super::{RedisStore, failure};
use crate::error::ConnectProblem;
use crate::store::mailbox::{Heard, Mailbox, Slot, mailbox};
use crate::util::background::Background;
use crate::util::backoff::Backoff;

/// After how long a silent connection is asked whether it still is one.
const SILENCE: Duration = Duration::from_secs(5);

impl RedisStore {
    /// Returns when the first attempt to subscribe is over.
    pub(in crate::store) async fn listen(&self, channel: &str) -> (Mailbox, Background) {
        let (slot, mailbox) = mailbox();
        let (tried, first_try) = oneshot::channel();
        let subscriber = Subscriber {
            way: self.links.way(channel),
            address: self.address(),
            patience: self.settings.connect_timeout,
            channel: channel.to_owned(),
            slot,
        };
        let task = self.tasks().spawn(subscriber.run(tried));
        // Nothing is sent: it is dropped when the attempt is over.
        let _ = first_try.await;
        (mailbox, Background(task))
    }
}

/// The task: subscribe, hand on, and again, until its listener is gone and it with him.
struct Subscriber {
    way: Way,
    address: String,
    /// How long an attempt, or a sign of life, may take.
    patience: Duration,
    channel: String,
    slot: Slot,
}

impl Subscriber {
    async fn run(self, tried: oneshot::Sender<()>) {
        let mut tried = Some(tried);
        let mut backoff = Backoff::long();
        let mut failures = 0_u32;
        let mut missed = false;
        loop {
            match self.subscribe().await {
                Ok(subscription) => {
                    if missed {
                        self.slot.put(Heard::Gap);
                    }
                    failures = 0;
                    drop(tried.take());
                    let since = Instant::now();
                    self.hand_on(subscription).await;
                    if since.elapsed() >= backoff.cap() {
                        backoff = Backoff::long();
                    }
                }
                Err(problem) => {
                    self.report(&problem, failures);
                    failures = failures.saturating_add(1);
                    drop(tried.take());
                }
            }
            missed = true;
            sleep(backoff.next()).await;
        }
    }

    async fn subscribe(&self) -> Result<PubSub, ConnectProblem> {
        let attempt = async {
            let mut subscription = handshake::open_pubsub(&*(self.way)()?).await?;
            let subscribed = subscription.subscribe(&self.channel).await;
            subscribed.map_err(|error| failure::of_client(&error))?;
            Ok(subscription)
        };
        let attempt = timeout(self.patience, attempt).await;
        attempt.unwrap_or(Err(ConnectProblem::Timeout))
    }

    /// Until the connection is lost.
    async fn hand_on(&self, subscription: PubSub) {
        let (mut sink, mut messages) = subscription.split();
        loop {
            tokio::select! {
                message = next(&mut messages) => match message {
                    Some(message) => self.put(&message),
                    None => return,
                },
                () = sleep(SILENCE) => {
                    let sign = timeout(self.patience, sink.ping::<Value>()).await;
                    if !matches!(sign, Ok(Ok(_))) {
                        return;
                    }
                }
            }
        }
    }

    fn put(&self, message: &Msg) {
        let bytes = Bytes::copy_from_slice(message.get_payload_bytes());
        self.slot.put(Heard::Message(bytes));
    }

    /// Once per outage aloud.
    fn report(&self, problem: &ConnectProblem, before: u32) {
        let address = &self.address;
        if before == 0 {
            crate::util::warning::warn!(%address, %problem, "cannot subscribe, going on trying");
        } else {
            tracing::debug!(%address, %problem, "still cannot subscribe");
        }
    }
}

async fn next(messages: &mut (impl Stream<Item = Msg> + Unpin)) -> Option<Msg> {
    poll_fn(|context| Pin::new(&mut *messages).poll_next(context)).await
}
