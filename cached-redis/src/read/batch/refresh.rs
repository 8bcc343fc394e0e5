//! A batch that loads without looking: each result replaces what stands under its key, unless that
//! changes meanwhile.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use super::answer::Answers;
use super::call::{Item, Request};
use super::callee::{Callee, Failed, Made};
use super::fill::{self, Fill};
use super::flow::Reader;
use super::leases::Leases;
use super::steps::{self, One};
use crate::engine::encode::Loaded;
use crate::engine::{tags, transaction};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::freshness::Freshness;
use crate::protocol::read::Step;
use crate::read::reader;
use crate::read::search::Seen;
use crate::wire::entry::{Live, Token};

/// The entries that the cache would have answered from, of some of the items.
type Hits = HashMap<usize, (Live, Freshness)>;

impl<'a> Reader<'a> {
    /// Loads all, as every call does in shadow mode; with the values is compared what the cache would
    /// have served.
    pub(super) async fn shadow(&mut self, items: Vec<Item<'a>>) -> Result<(), Failed> {
        let mut ones: Vec<_> = items.iter().map(|item| self.one(*item)).collect();
        if !transaction::is_open() {
            steps::look(self.function, &mut ones).await;
        }
        let hits = self.with(|answers, callee| answers.shadowed(ones, callee));
        let hits = hits.await;
        self.refresh(items, hits).await
    }

    /// Loads all. What the cache would have answered from a fresh entry is compared with that; all else is
    /// filled that may be.
    pub(super) async fn refresh(&mut self, items: Vec<Item<'a>>, hits: Hits) -> Result<(), Failed> {
        let mut leases = Leases::new(self.inner, items.iter().map(|item| &*item.request.key));
        let is_fresh = |item: &&Item<'_>| {
            let hit = hits.get(&item.place);
            hit.is_some_and(|(_, freshness)| *freshness == Freshness::Fresh)
        };
        let filled = items.iter().filter(|item| !is_fresh(item));
        let rights = self
            .obtain(&mut leases, filled.map(|item| item.request))
            .await;
        for item in &items {
            match rights.contains_key(&*item.request.key) {
                _ if hits.contains_key(&item.place) => self.emit(&Event::ShadowHit),
                true => self.answers.answered(Status::Miss, None),
                false => self.answers.answered(Status::Bypass, None),
            }
        }
        let run = self.load(items.iter().copied(), leases.stamps()).await;
        if !run.is_ok {
            return Err(Failed);
        }
        let filled = items.iter();
        let filled = filled.filter_map(|item| Some((*item, *rights.get(&*item.request.key)?)));
        let filled: Vec<_> = filled.collect();
        let send = self.with(move |answers, callee| {
            for item in &items {
                if let Some((live, Freshness::Fresh)) = hits.get(&item.place) {
                    answers.compare(*item, live, callee);
                }
            }
            let sent = answers.refreshed(&run.loaded, &filled, leases, callee);
            callee.answer().map(|()| sent)
        });
        // Awaited, so that the caller's next read sees it; a panic of the task is no matter of the caller's.
        let _ = send.await?.await;
        Ok(())
    }

    /// For loads that start now whatever stands there: entries go on being served meanwhile; anything
    /// else, other loads' leases too, gives way. The token to be replaced, by key; none for those that
    /// nobody may fill.
    async fn obtain(
        &self,
        leases: &mut Leases,
        requests: impl Iterator<Item = &Request>,
    ) -> HashMap<String, Token> {
        let mut rights = HashMap::new();
        if transaction::is_open() {
            return rights;
        }
        let journal = &self.inner.journal;
        let free = |request: &&Request| {
            let pass = journal.pass_all(&request.key, request.tags.keys());
            pass.is_some() && !request.is_bypassed
        };
        let free: Vec<_> = requests.filter(free).collect();
        let keys: Vec<_> = free.iter().map(|request| &*request.key).collect();
        let entries = self.inner.store.get_each(&keys).await;
        if let Some(error) = entries.iter().find_map(|entry| entry.as_ref().err()) {
            self.failed(error);
        }
        let found = free.into_iter().zip(entries);
        let found: Vec<_> = found
            .filter_map(|(one, entry)| Some((one, entry.ok()?)))
            .collect();
        let tags = found.iter().map(|(request, entry)| {
            let entry = entry.as_deref().unwrap_or_default();
            tags::keys(self.inner, &request.tags, entry)
        });
        let tags: Vec<_> = tags.collect();
        let all = tags.iter().flatten().cloned();
        let read = leases.read_tags(self.encoder.policy, all).await;
        read.unwrap_or_else(|error| self.failed(&error));
        let mut others = Vec::new();
        for ((request, entry), tags) in found.into_iter().zip(tags) {
            let key = &*request.key;
            if !leases.stamps().covers(&tags) {
                continue;
            }
            match Seen::of(self.inner, self.function, key, entry) {
                Seen::Live(live) => drop(rights.insert(key.to_owned(), live.header.token)),
                _ => others.push(key.to_owned()),
            }
        }
        if others.is_empty() {
            return rights;
        }
        for (key, seized) in others.iter().zip(leases.seize(&others).await) {
            match seized {
                Ok(true) => {
                    self.inner.journal.changed(key);
                    rights.insert(key.clone(), leases.token());
                }
                Ok(false) => {}
                Err(error) => self.failed(&error),
            }
        }
        rights
    }

    fn failed(&self, error: &StoreError) {
        self.emit(&Event::Away(error));
    }
}

impl<'a> Answers<'a> {
    /// What the cache would have served of what `ones` have found.
    fn shadowed(&self, ones: Vec<One<'a>>, callee: &mut dyn Callee) -> Hits {
        let mut hits = Hits::new();
        for mut one in ones {
            let (item, encoder) = (one.item, self.encoder(one.item));
            if let Step::Serve(live) = one.lookup.search.end()
                && let freshness = reader::judge(&encoder, &live)
                && freshness.is_served()
                && callee.decode(item.place, &encoder, &live)
            {
                callee.forget(item.place);
                hits.insert(item.place, (live, freshness));
            }
        }
        hits
    }

    /// Sends the fills.
    fn refreshed(
        &mut self,
        loaded: &Loaded,
        filled: &[(Item<'a>, Token)],
        leases: Leases,
        callee: &dyn Callee,
    ) -> JoinHandle<()> {
        let items = filled.iter().map(|(item, _)| *item);
        let encoded = self.encoded(items, loaded, &leases, callee);
        let mut fills = Vec::with_capacity(filled.len());
        for ((item, token), encoded) in filled.iter().zip(encoded) {
            if let Ok(encoded) = encoded {
                let made = Made {
                    request: self.asked(*item),
                    entry: encoded.entry.clone(),
                };
                self.describe(Status::Miss, Some(&made));
                let key = item.request.key.to_string();
                fills.push(Fill::over(key, *token, encoded, None));
            }
        }
        fill::send(
            self.inner,
            &self.function.site,
            leases,
            fills,
            Vec::new(),
            (),
        )
    }
}
