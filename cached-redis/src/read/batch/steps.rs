//! The steps of many searches, each of which goes to the store as one for all that take it: the part of the
//! flow that does not depend on the type of the values, so it is compiled once.

use std::sync::Arc;

use super::call::Item;
use super::leases::Leases;
use crate::engine::handle::Inner;
use crate::engine::tags::{self, Life};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::read::Step;
use crate::read::search::{Answer, At, Lookup, Rights, Seen};
use crate::store::Store as _;
use crate::store::many::{Asked, Granted};
use crate::wire::entry::names_tags;

/// One key of a batch on its way to an answer.
pub(super) struct One<'a, K> {
    pub(super) item: Item<'a, K>,
    pub(super) lookup: Lookup<'a>,
    pub(super) rights: Rights,
}

impl<K> One<'_, K> {
    pub(super) fn is(&self, step: fn(&At) -> bool) -> bool {
        step(self.lookup.search.step())
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        self.lookup.hear(answer, &mut self.rights);
    }
}

/// Those that are at a step.
pub(super) fn at<'b, 'a, K>(
    ones: &'b mut [One<'a, K>],
    step: fn(&At) -> bool,
) -> Vec<&'b mut One<'a, K>> {
    ones.iter_mut().filter(|one| one.is(step)).collect()
}

/// Those that are at a step, and all others.
pub(super) fn split<K>(
    ones: Vec<One<'_, K>>,
    step: fn(&At) -> bool,
) -> (Vec<One<'_, K>>, Vec<One<'_, K>>) {
    ones.into_iter().partition(|one| one.is(step))
}

/// Looks all up, in one round trip; those that somebody here loads need no look.
pub(super) async fn look<K>(inner: &Inner, function: &Function, ones: &mut [One<'_, K>]) {
    for one in at(ones, |step| matches!(step, Step::Join)) {
        let answer = one.lookup.join();
        one.hear(answer);
    }
    let looking = at(ones, |step| matches!(step, Step::Look { .. }));
    let keys: Vec<_> = looking.iter().map(|one| one.item.key).collect();
    let mut seen = seen(inner, function, &keys).await.map(Vec::into_iter);
    if let Err(error) = &seen {
        inner.emit(&function.site, &Event::Away(error));
    }
    for one in looking {
        let seen = seen.as_mut().ok().and_then(Iterator::next);
        one.hear(seen.map_or(Answer::Away, |seen| one.lookup.answer(seen)));
    }
}

/// What stands under `keys`, and is alive by its tags.
async fn seen(inner: &Inner, function: &Function, keys: &[&str]) -> Result<Vec<Seen>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let entries = inner.store.get_all(keys).await?.into_iter();
    let seen: Vec<_> = entries
        .map(|entry| Seen::of(inner, function, entry))
        .collect();
    let tagged: Vec<_> = seen.iter().filter_map(Seen::tagged).collect();
    // The way of all that have nothing to do with tags.
    let lives = match tagged.as_slice() {
        [] => Vec::new(),
        tagged => tags::judge_all(inner, tagged).await?,
    };
    let mut lives = lives.into_iter();
    let judged = |seen: Seen| match seen {
        Seen::Live(live) if live.header.is_tagged() => {
            let life = lives.next().unwrap_or(Life::Dead);
            Seen::judged(inner, function, live, life)
        }
        seen => seen,
    };
    Ok(seen.into_iter().map(judged).collect())
}

/// Enters the flights of those that may be loaded, and asks for their leases in one round trip. It waits
/// for nobody, so that whoever holds some keys never waits for others that somebody holds who waits for
/// these.
pub(super) async fn contend<K>(
    inner: &Arc<Inner>,
    function: &Function,
    policy: &Policy,
    ones: &mut [One<'_, K>],
) -> Leases {
    for one in at(ones, |step| matches!(step, Step::Enter(_))) {
        let answer = one.lookup.enter(&mut one.rights);
        one.hear(answer);
    }
    let mut leases = Leases::new(inner);
    let acquiring = at(ones, |step| matches!(step, Step::Acquire(_)));
    if !acquiring.is_empty() {
        acquire(inner, function, &mut leases, acquiring).await;
        stamp(inner, function, policy, &mut leases, ones).await;
    }
    for one in at(ones, |step| step.leads() && !matches!(step, Step::Load(_))) {
        // Who waits leads nobody: those who joined look for themselves.
        one.rights = Rights::default();
        if !one.is(|step| matches!(step, Step::Pause)) {
            one.lookup.search.restart();
        }
    }
    leases
}

async fn acquire<K>(
    inner: &Inner,
    function: &Function,
    leases: &mut Leases,
    ones: Vec<&mut One<'_, K>>,
) {
    let asked = ones.iter().map(|one| Asked {
        key: one.item.key.to_owned(),
        over: one.lookup.over().cloned(),
    });
    let asked: Vec<_> = asked.collect();
    let answers = leases.acquire(&asked).await;
    if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        inner.emit(&function.site, &Event::Away(error));
    }
    for (one, answer) in ones.into_iter().zip(answers) {
        one.hear(match answer {
            Ok(Granted::Yes) => Answer::Granted,
            Ok(Granted::No(standing)) => one.lookup.refused(standing),
            Err(_) => Answer::Away,
        });
    }
}

/// Reads the tags that the entries name which are to be replaced.
async fn stamp<K>(
    inner: &Inner,
    function: &Function,
    policy: &Policy,
    leases: &mut Leases,
    ones: &mut [One<'_, K>],
) {
    let granted = at(ones, |step| matches!(step, Step::Stamp(_)));
    let before: Vec<_> = granted.iter().filter_map(|one| one.lookup.over()).collect();
    let before = before.iter().map(|entry| &***entry);
    let free = leases.read_tags(policy, before).await;
    let free = free.unwrap_or_else(|error| {
        inner.emit(&function.site, &Event::Away(&error));
        false
    });
    for one in granted {
        let named = one.lookup.over().is_some_and(|entry| names_tags(entry));
        one.hear(match free || !named {
            true => Answer::Stamped,
            false => Answer::Away,
        });
    }
}
