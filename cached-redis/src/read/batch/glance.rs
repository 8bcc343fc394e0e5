//! The first look of a batch, which most often is all there is to it: hits have no search but that, and no place of their
//! own. What they are worth is decided as everywhere, by the machine and by [`take_one`](Answers::take_one).

use super::answer::Answers;
use super::call::Item;
use super::callee::Callee;
use super::flow::Reader;
use super::steps::{self, One};
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::error::StoreError;
use crate::read::search::{Glance, Seen};

/// What a first look has seen.
type Glanced<'a> = (Item<'a>, Glance, Result<Seen, StoreError>);

impl<'a> Reader<'a> {
    /// Looks all up before any of them has a place of its own, which only those get that have no answer then.
    pub(super) async fn glance(&mut self, items: Vec<Item<'a>>) -> Vec<One<'a>> {
        let source = Source::of(self.inner, self.encoder.policy);
        if !source.keeps_nothing() {
            return items.into_iter().map(|item| self.one(item)).collect();
        }
        let (mut rest, mut glances) = (Vec::new(), Vec::with_capacity(items.len()));
        for item in items {
            match glance_of(source.inner, item) {
                Some(glance) => glances.push((item, glance)),
                None => rest.push(self.one(item)),
            }
        }
        steps::join(&mut rest);
        let asked: Vec<_> = glances.iter().map(|(item, _)| item.asked()).collect();
        let seen = steps::seen_each(&source, self.function, &asked).await;
        let glanced = glances.into_iter().zip(seen);
        let glanced = glanced.map(|((item, glance), seen)| (item, glance, seen));
        let unanswered = self.with(|answers, callee| answers.glanced(glanced, callee));
        rest.extend(unanswered.await);
        rest
    }
}

impl<'a> Answers<'a> {
    fn glanced(
        &mut self,
        glanced: impl Iterator<Item = Glanced<'a>>,
        callee: &mut dyn Callee,
    ) -> Vec<One<'a>> {
        let mut rest = Vec::new();
        for (item, mut glance, seen) in glanced {
            let mut search = glance.looked(self.inner, &item.request.key, seen);
            let unfit = match search.served() {
                None => None,
                Some(live) => match self.take_one(item, live, None, callee) {
                    None => continue,
                    unfit => unfit,
                },
            };
            let mut lookup = self.lookup(item).from(glance, search);
            unfit.into_iter().for_each(|unfit| unfit.tell(&mut lookup));
            rest.push(One::new(item, lookup));
        }
        self.go_on_behind(callee);
        rest
    }
}

/// The look at it, where that is what comes first.
fn glance_of(inner: &Inner, item: Item<'_>) -> Option<Glance> {
    let (key, tags) = item.asked();
    let glance = || Glance::of(inner, key, tags);
    (!item.request.is_bypassed).then(glance).flatten()
}
