//! The first look of a batch, which most often is all there is to it: hits have no search but that, and no place of their
//! own. What they are worth is decided as everywhere, by the machine and by [`take`](Reader::take).

use super::Reader;
use super::call::Item;
use super::loads::Loads;
use super::plan::{EachPlan, Id};
use super::steps::{self, One};
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::read::search::Glance;

impl<'r, P: EachPlan, F: Loads<P>> Reader<'r, P, F> {
    /// Looks all up before any of them has a place of its own, which only those get that have no answer then.
    pub(super) async fn glance<'k>(&mut self, items: Vec<Item<'k, Id<P>>>) -> Vec<One<'k, Id<P>>>
    where
        'r: 'k,
    {
        let source = Source::of(self.plan.inner, self.plan.encoder.policy);
        if !source.keeps_nothing() {
            return self.ones(items);
        }
        let (mut rest, mut glances) = (Vec::new(), Vec::with_capacity(items.len()));
        for item in items {
            match glance_of(source.inner, &item) {
                Some(glance) => glances.push((item, glance)),
                None => rest.push(self.one(item)),
            }
        }
        steps::join(&mut rest);
        let asked: Vec<_> = glances.iter().map(|(item, _)| item.asked()).collect();
        let seen = steps::seen_each(&source, self.function, &asked).await;
        for ((item, mut glance), seen) in glances.into_iter().zip(seen) {
            let mut search = glance.looked(source.inner, &item.request.key, seen);
            let (item, unfit) = match search.served() {
                None => (item, None),
                Some(live) => match self.take(item, live, None) {
                    Some((item, unfit)) => (item, Some(unfit)),
                    None => continue,
                },
            };
            let mut lookup = self.lookup(&item).from(glance, search);
            unfit.into_iter().for_each(|unfit| unfit.tell(&mut lookup));
            rest.push(One::new(item, lookup));
        }
        self.go_on_behind();
        rest
    }
}

/// The look at it, where that is what comes first.
fn glance_of<K>(inner: &Inner, item: &Item<'_, K>) -> Option<Glance> {
    let (key, tags) = item.asked();
    let glance = || Glance::of(inner, key, tags);
    (!item.request.is_bypassed).then(glance).flatten()
}
