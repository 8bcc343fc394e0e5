//! A batch that loads without looking: each result replaces what stands under its key, unless that
//! changes meanwhile.

use std::collections::HashMap;

use super::Reader;
use super::call::{Item, Request};
use super::fill::{self, Fill};
use super::leases::Leases;
use super::load::Made;
use super::loads::Loads;
use super::plan::{EachPlan, Id};
use super::steps;
use crate::engine::plan::ErrorOf;
use crate::engine::{tags, transaction};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::protocol::freshness::Freshness;
use crate::protocol::read::Step;
use crate::read::reader;
use crate::read::search::Seen;
use crate::wire::entry::{Live, Token};

/// The entries that the cache would have answered from, by key.
type Hits<'a> = HashMap<&'a str, (Live, Freshness)>;

impl<P: EachPlan, F: Loads<P>> Reader<'_, P, F> {
    /// Loads all, as every call does in shadow mode; with the values is compared what the cache would
    /// have served.
    pub(super) async fn shadow(&mut self, items: Vec<Item<'_, Id<P>>>) -> Result<(), ErrorOf<P>> {
        let mut ones = self.ones(items);
        if !transaction::is_open() {
            steps::look(self.function, &mut ones).await;
        }
        let (mut items, mut hits) = (Vec::with_capacity(ones.len()), Hits::new());
        for mut one in ones {
            if let Step::Serve(live) = one.lookup.search.end()
                && let encoder = self.encoder(&one.item)
                && let freshness = reader::judge(&encoder, &live)
                && freshness.is_served()
                && self.own.decode(&encoder, &live).is_some()
            {
                hits.insert(&one.item.request.key, (live, freshness));
            }
            items.push(one.item);
        }
        self.refresh(items, hits).await
    }

    /// Loads all. What the cache would have answered from a fresh entry is compared with that; all else is
    /// filled that may be.
    pub(super) async fn refresh(
        &mut self,
        items: Vec<Item<'_, Id<P>>>,
        hits: Hits<'_>,
    ) -> Result<(), ErrorOf<P>> {
        let mut leases = Leases::new(self.inner, items.iter().map(|item| &*item.request.key));
        let fresh = |item: &Item<'_, Id<P>>| match hits.get(&*item.request.key) {
            Some((live, Freshness::Fresh)) => Some(live),
            _ => None,
        };
        let filled = items.iter().filter(|item| fresh(item).is_none());
        let filled = filled.map(|item| item.request);
        let rights = self.obtain(&mut leases, filled).await;
        for item in &items {
            match rights.contains_key(&*item.request.key) {
                _ if hits.contains_key(&*item.request.key) => self.emit(&Event::ShadowHit),
                true => self.answered(Status::Miss, None),
                false => self.answered(Status::Bypass, None),
            }
        }
        let (result, loaded) = self.load(items.iter(), leases.stamps()).await;
        let values = result?;
        for item in &items {
            if let Some(live) = fresh(item) {
                self.compare(item, live, &values);
            }
        }
        let rights = items
            .iter()
            .filter_map(|item| Some((item, *rights.get(&*item.request.key)?)));
        let rights: Vec<_> = rights.collect();
        let filled = rights.iter().map(|(item, _)| *item);
        let encoded = self.encoded(&values, filled, &loaded, &leases);
        let mut fills = Vec::with_capacity(rights.len());
        for ((item, token), encoded) in rights.into_iter().zip(encoded) {
            if let Ok(encoded) = encoded {
                let made = Made {
                    request: self.asked(item),
                    entry: encoded.entry.clone(),
                };
                self.describe(Status::Miss, Some(&made));
                fills.push(Fill::over(
                    item.request.key.to_string(),
                    token,
                    encoded,
                    None,
                ));
            }
        }
        // Awaited, so that the caller's next read sees it; a panic of the task is no matter of the caller's.
        let site = &self.function.site;
        let _ = fill::send(self.inner, site, leases, fills, Vec::new(), ()).await;
        self.found.extend(values);
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
