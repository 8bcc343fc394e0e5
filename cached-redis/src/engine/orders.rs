//! Modes that an operator orders for every process of a namespace.
//!
//! They stand in one control entry, with a life of its own, which each process reads every few seconds. An order
//! ends by the server's clock: also where the server is gone meanwhile, so that nothing which was switched off in
//! an emergency stays so for ever. What is read here changes no more than how much of the cache is used; writers
//! know nothing of it, so whatever stands there, no value becomes older by it.
//!
//! It is replaced as a whole, provided that what was read still stands: of two operators neither undoes the other's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Once, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::handle::Inner;
use super::mode::Mode;
use crate::error::{Error, StoreError};
use crate::observe::registry;
use crate::store::{Answer, Store as _};
use crate::util::backoff::Backoff;
use crate::wire::entry::Token;

/// How often they are read. What is ordered is followed after this and a round trip.
const PERIOD: Duration = Duration::from_secs(5);

/// So many bytes are read of what stands there; more is no entry of ours.
const LONGEST: usize = 64 * 1024;

/// What it begins with, before its token.
const MARK: &[u8; 8] = b"#modes 1";

/// Where its text begins.
const TEXT: usize = MARK.len() + 16;

/// What an empty one lives on: nothing stands in its place soon.
const SHORT: Duration = Duration::from_millis(1);

/// All that is ordered, by the names of functions as the operator gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders(BTreeMap<String, Order>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    mode: String,
    /// In ms since the Unix epoch, by the clock of the server.
    until: u64,
}

impl Order {
    /// `None`: a later version knows more of them.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.mode.parse().ok()
    }

    pub(crate) fn left(&self, now: u64) -> Duration {
        Duration::from_millis(self.until.saturating_sub(now))
    }
}

impl Orders {
    /// What cannot be read orders nothing.
    fn read(entry: Option<&Bytes>) -> Self {
        let text = entry.and_then(|entry| entry.get(TEXT..));
        let read = text.and_then(|text| serde_json::from_slice(text).ok());
        read.unwrap_or_default()
    }

    /// With a token of its own where entries have theirs, by which the store tells one from another.
    fn written(&self) -> Answer<Bytes> {
        let mut entry = MARK.to_vec();
        entry.extend_from_slice(Token::next().as_bytes());
        serde_json::to_writer(&mut entry, self).map_err(|_| StoreError::Answer)?;
        Ok(entry.into())
    }

    /// Those that are not over.
    pub(crate) fn at(mut self, now: u64) -> Self {
        self.0.retain(|_, order| order.until > now);
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Order)> {
        self.0
            .iter()
            .map(|(function, order)| (function.as_str(), order))
    }

    fn life(&self, now: u64) -> Duration {
        let lives = self.0.values().map(|order| order.left(now));
        lives.max().unwrap_or(SHORT)
    }
}

/// Where they stand.
pub(crate) fn key(namespace: &str) -> String {
    format!("{namespace}:#modes")
}

/// What is ordered now.
pub(crate) async fn read(inner: &Inner) -> Answer<Orders> {
    let key = key(&inner.namespace);
    let parts = inner.store.read_parts(&[(&key, Some(LONGEST))]).await?;
    let now = inner.store.now_ms(&key);
    Ok(Orders::read(parts.first().and_then(Option::as_ref)).at(now))
}

/// Orders `mode` for a function, or with none takes back what was ordered: whether anything was.
pub(crate) async fn change(
    inner: &Arc<Inner>,
    function: &str,
    mode: Option<(Mode, Duration)>,
) -> Result<bool, Error> {
    let (store, key) = (&inner.store, key(&inner.namespace));
    let mut backoff = Backoff::contention();
    for _ in 0..inner.settings.update_attempts {
        let stands = store.get(&key).await?;
        let now = store.now_ms(&key);
        let mut orders = Orders::read(stands.as_ref()).at(now);
        let before = orders.0.remove(function);
        if let Some((mode, life)) = mode {
            let until = now.saturating_add(life.as_millis() as u64);
            let mode = mode.to_string();
            orders.0.insert(function.to_owned(), Order { mode, until });
        } else if before.is_none() {
            return Ok(false);
        }
        if replace(inner, &key, stands, &orders, now).await? {
            if inner.settings.follow_modes {
                follow(inner, &orders);
                house(inner, &orders);
            }
            return Ok(before.is_some());
        }
        sleep(backoff.next()).await;
    }
    Err(Error::Contended)
}

/// Whether nobody else was there in between.
async fn replace(
    inner: &Inner,
    key: &str,
    stands: Option<Bytes>,
    orders: &Orders,
    now: u64,
) -> Answer<bool> {
    let (text, life) = (orders.written()?, orders.life(now));
    match stands {
        None => Ok(inner.store.acquire(key, text, life).await?.is_none()),
        Some(stands) => inner.store.acquire_over(key, stands, text, life).await,
    }
}

/// Puts them in force in this process.
fn follow(inner: &Inner, orders: &Orders) {
    let known = orders.iter().filter_map(|(function, order)| {
        let slot = slot(function)?;
        Some((slot, order.mode()?))
    });
    for (slot, mode) in inner.modes.order(known.collect::<HashMap<_, _>>()) {
        let function = inner.function_at(slot);
        tracing::info!(function, %mode, "an operator has changed the mode of a function");
    }
}

/// Of a function that this program has.
fn slot(function: &str) -> Option<usize> {
    match registry::function(function) {
        Ok(function) => return Some(function.site.slot()),
        Err(Error::AmbiguousFunction { .. }) => tell_once(function),
        // It is of another program of the namespace.
        Err(_) => {}
    }
    None
}

fn tell_once(function: &str) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        crate::util::warning::warn!(
            function,
            "the mode of a function is ordered by a name that several have here: it stays as it was"
        );
    });
}

/// Reads them once, for a program that is started when something is ordered already, and goes on reading. In
/// memory nobody but this cache can order anything, and it begins when that is done.
pub(crate) async fn begin(inner: &Arc<Inner>) {
    let mut orders = Orders::default();
    look(inner, &mut orders).await;
    house(inner, &orders);
}

/// Goes on reading, unless that has begun.
fn house(inner: &Arc<Inner>, orders: &Orders) {
    if inner.modes.begins_to_follow() {
        let (cache, orders) = (Arc::downgrade(inner), orders.clone());
        inner
            .runtime
            .house(move || keep(cache.clone(), orders.clone()));
    }
}

async fn keep(inner: Weak<Inner>, mut last: Orders) {
    loop {
        sleep(PERIOD).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        look(&inner, &mut last).await;
    }
}

/// Where the store does not answer, those that it told last hold until their end.
async fn look(inner: &Inner, last: &mut Orders) {
    let now = inner.store.now_ms(&key(&inner.namespace));
    match read(inner).await {
        Ok(orders) => *last = orders,
        Err(_) => *last = std::mem::take(last).at(now),
    }
    follow(inner, last);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(text: &str) -> Orders {
        let entry = format!("{:24}{text}", "");
        Orders::read(Some(&Bytes::from(entry)))
    }

    #[test]
    fn what_is_over_or_cannot_be_read_orders_nothing() {
        let text = r#"{"a":{"mode":"off","until":10},"b":{"mode":"dim","until":20}}"#;
        let of = |now| {
            let orders = orders(text).at(now);
            let seen = orders.iter().map(|(name, it)| (name.to_owned(), it.mode()));
            seen.collect::<Vec<_>>()
        };
        let (a, b) = (("a".to_owned(), Some(Mode::Off)), ("b".to_owned(), None));
        assert_eq!(of(9), [a, b.clone()]);
        assert_eq!(of(10), [b]);
        assert_eq!(of(20), []);
        for odd in ["", "[]", "{\"a\":1}", "\u{0}"] {
            assert_eq!(orders(odd), Orders::default());
        }
    }

    #[test]
    fn the_entry_lives_as_long_as_the_longest_order_and_hardly_without_any() {
        let text = r#"{"a":{"mode":"off","until":1000},"b":{"mode":"on","until":3000}}"#;
        assert_eq!(orders(text).life(500), Duration::from_millis(2500));
        assert_eq!(Orders::default().life(500), SHORT);
    }
}
