//! The steps of many searches, each of which goes to the store as one for all that take it.

use std::collections::HashSet;
use std::slice;
use std::sync::Arc;

use futures_util::future::join_all;

use super::call::Item;
use super::leases::{Claims, Leases};
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::engine::tags::{self, Generations, Life};
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::read::Step;
use crate::read::search::{Answer, At, Lookup, Rights, Seen};
use crate::store::Store as _;
use crate::store::many::{Asked, Granted};
use crate::wire::entry::Live;
use crate::wire::tag::Tags;

/// One key of a batch on its way to an answer.
pub(super) struct One<'a> {
    pub(super) item: Item<'a>,
    pub(super) lookup: Lookup<'a>,
    /// Most find an entry and have no use for any.
    pub(super) rights: Option<Box<Rights>>,
}

impl<'a> One<'a> {
    pub(super) fn new(item: Item<'a>, lookup: Lookup<'a>) -> Self {
        Self {
            item,
            lookup,
            rights: None,
        }
    }

    pub(super) fn rights(&mut self) -> &mut Rights {
        self.rights.get_or_insert_default()
    }

    /// Whether it has found an entry, or an error.
    pub(super) fn is_answered(&self) -> bool {
        self.is(|step| matches!(step, Step::Serve(_) | Step::Fail(_)))
    }

    pub(super) fn is(&self, step: fn(&At) -> bool) -> bool {
        step(self.lookup.search.step())
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        let mut none = Rights::default();
        let rights = self.rights.as_deref_mut().unwrap_or(&mut none);
        self.lookup.hear(answer, rights);
    }

    fn enter(&mut self) -> Answer {
        let rights = self.rights.get_or_insert_default();
        self.lookup.enter(rights)
    }

    pub(super) fn queue(&mut self) -> Answer {
        let rights = self.rights.get_or_insert_default();
        self.lookup.queue(rights)
    }

    /// The entry that it is to load anew and holds meanwhile.
    pub(super) fn held(&self) -> Option<&Live> {
        let held = self.lookup.held();
        held.filter(|_| self.is(|step| matches!(step, Step::Renew)))
    }
}

/// Those that are at a step.
pub(super) fn at<'b, 'a>(ones: &'b mut [One<'a>], step: fn(&At) -> bool) -> Vec<&'b mut One<'a>> {
    ones.iter_mut().filter(|one| one.is(step)).collect()
}

/// Those that are at a step, and all others.
pub(super) fn split<'a>(ones: Vec<One<'a>>, step: fn(&At) -> bool) -> (Vec<One<'a>>, Vec<One<'a>>) {
    ones.into_iter().partition(|one| one.is(step))
}

/// Lets those begin that have not: what somebody here loads needs no look.
pub(super) fn join(ones: &mut [One<'_>]) {
    for one in at(ones, |step| matches!(step, Step::Join)) {
        let is_bypassed = one.item.request.is_bypassed;
        if !is_bypassed && let Some(live) = one.lookup.local() {
            one.hear(Answer::Nobody);
            one.hear(Answer::Seen(Seen::Live(live), true));
            continue;
        }
        let answer = match is_bypassed {
            true => Answer::Barred,
            false => one.lookup.join(),
        };
        one.hear(answer);
    }
}

/// Looks all up, in one round trip.
pub(super) async fn look(function: &Function, ones: &mut [One<'_>]) {
    join(ones);
    let looking = at(ones, |step| matches!(step, Step::Look { .. }));
    let Some(source) = looking.first().map(|one| one.lookup.source()) else {
        return;
    };
    let asked: Vec<_> = looking.iter().map(|one| one.item.asked()).collect();
    let seen = seen_each(source, function, &asked).await;
    for (one, seen) in looking.into_iter().zip(seen) {
        one.hear(seen.map_or(Answer::Away, |seen| one.lookup.answer(seen)));
    }
}

/// What stands under each key, where a server that is away costs its own keys alone.
pub(super) async fn seen_each(
    source: &Source<'_>,
    function: &Function,
    asked: &[(&str, &Tags)],
) -> Vec<Result<Seen, StoreError>> {
    let inner = source.inner;
    let seen = match seen(source, function, asked).await {
        Ok(seen) => return seen.into_iter().map(Ok).collect(),
        Err(error) if !inner.store.is_shared_out() => {
            asked.iter().map(|_| Err(error.clone())).collect()
        }
        Err(_) => {
            let each = asked.iter().map(async |one| {
                let mut seen = seen(source, function, slice::from_ref(one)).await?;
                seen.pop().ok_or(StoreError::Answer)
            });
            join_all(each).await
        }
    };
    if let Some(error) = seen.iter().find_map(|seen| seen.as_ref().err()) {
        inner.emit(&function.site, &Event::Away(error));
    }
    seen
}

/// What stands under the keys, and is alive by its tags.
async fn seen(
    source: &Source<'_>,
    function: &Function,
    asked: &[(&str, &Tags)],
) -> Result<Vec<Seen>, StoreError> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let inner = source.inner;
    let seen = |key: &str, entry| Seen::of(inner, function, key, entry);
    // Nearly always there are no tags, and nothing is kept: what is found is what stands.
    if source.keeps_nothing() && asked.iter().all(|(_, tags)| tags.is_empty()) {
        let keys: Vec<_> = asked.iter().map(|(key, _)| *key).collect();
        let found = source.get_all(&keys).await?.into_iter().zip(keys);
        let found: Vec<_> = found.map(|(entry, key)| seen(key, entry)).collect();
        if !found.iter().any(Seen::is_tagged) {
            return Ok(found);
        }
        let found = found.into_iter().map(|seen| (seen, Generations::none()));
        return judged(source, function, asked, found).await;
    }
    let looked = tags::look_all(source, asked).await?.into_iter();
    let found = looked
        .zip(asked)
        .map(|((entry, generations), (key, _))| match generations {
            Generations::Barred => (Seen::Barred, generations),
            _ => (seen(key, entry), generations),
        });
    judged(source, function, asked, found).await
}

/// What was found, by the generations of its tags.
async fn judged(
    source: &Source<'_>,
    function: &Function,
    asked: &[(&str, &Tags)],
    found: impl Iterator<Item = (Seen, Generations)>,
) -> Result<Vec<Seen>, StoreError> {
    let (seen, generations): (Vec<_>, Vec<_>) = found.unzip();
    let found = seen.iter().zip(asked).zip(generations);
    let live = found.filter_map(|((seen, (_, tags)), own)| match seen {
        Seen::Live(live) => Some((*tags, live, own)),
        _ => None,
    });
    let mut lives = tags::judge_all(source, live.collect()).await?.into_iter();
    let judged = |(seen, (key, _)): (_, &(&str, _))| match seen {
        Seen::Live(mut live) => {
            source.share(key, &mut live);
            let life = lives.next().unwrap_or(Life::Dead);
            Seen::judged(source.inner, function, live, life)
        }
        seen => seen,
    };
    Ok(seen.into_iter().zip(asked).map(judged).collect())
}

/// Of each of `ones` whether what it holds still stands, and is not to be invalidated either.
pub(super) async fn stand(function: &Function, ones: &[One<'_>]) -> Vec<bool> {
    let Some(source) = ones.first().map(|one| one.lookup.source()) else {
        return Vec::new();
    };
    let asked: Vec<_> = ones.iter().map(|one| one.item.asked()).collect();
    let seen = seen(source, function, &asked).await.unwrap_or_default();
    let mut seen = seen.iter();
    let mut stands = |lookup: &Lookup<'_>| {
        let is_held = seen.next().is_some_and(|seen| lookup.is_held(seen));
        is_held && lookup.may_keep()
    };
    ones.iter().map(|one| stands(&one.lookup)).collect()
}

/// Enters the flights of those that may be loaded, and asks for their leases in one round trip, and for the
/// claims of those that hold something in another one. It waits for nobody, so that whoever holds some keys
/// never waits for others that somebody holds who waits for these.
pub(super) async fn contend(
    inner: &Arc<Inner>,
    function: &Function,
    policy: &Policy,
    ones: &mut [One<'_>],
) -> (Leases, Option<Claims>) {
    for one in at(ones, |step| matches!(step, Step::Enter(_))) {
        let answer = one.enter();
        one.hear(answer);
    }
    let mut leases = Leases::new(inner, ones.iter().map(|one| &*one.item.request.key));
    let acquiring = at(ones, |step| matches!(step, Step::Acquire(_)));
    if !acquiring.is_empty() {
        acquire(inner, function, &mut leases, acquiring).await;
    }
    let claiming = at(ones, |step| matches!(step, Step::Claim));
    let mut claims = match claiming.is_empty() {
        true => None,
        false => Some(claim(inner, function, claiming).await),
    };
    stamp(inner, function, policy, (&mut leases, &mut claims), ones).await;
    for one in at(ones, |step| step.leads() && !is_right(step)) {
        // Who waits leads nobody: those who joined look for themselves.
        one.rights = None;
        if !one.is(|step| matches!(step, Step::Pause)) {
            one.lookup.search.end();
        }
    }
    (leases, claims)
}

/// The end of a search that has come by the right to load, and not to one without a lease.
pub(super) fn is_right(step: &At) -> bool {
    matches!(step, Step::Load(_) | Step::Renew)
}

async fn claim(inner: &Arc<Inner>, function: &Function, ones: Vec<&mut One<'_>>) -> Claims {
    let keys = ones.iter().map(|one| &*one.item.request.key);
    let (claims, answers) = Claims::ask(inner, keys).await;
    if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        inner.emit(&function.site, &Event::Away(error));
    }
    for (one, answer) in ones.into_iter().zip(answers) {
        one.hear(match answer {
            Ok(None) => Answer::Granted,
            Ok(Some(claimed)) => one.lookup.unclaimed(&claimed),
            Err(_) => Answer::Away,
        });
    }
    claims
}

async fn acquire(inner: &Inner, function: &Function, leases: &mut Leases, ones: Vec<&mut One<'_>>) {
    let asked = ones.iter().map(|one| Asked {
        key: one.item.request.key.to_string(),
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

/// Reads the tags of those whose leases or claims were granted, and those of the entries that are to be
/// replaced.
async fn stamp(
    inner: &Inner,
    function: &Function,
    policy: &Policy,
    (leases, claims): (&mut Leases, &mut Option<Claims>),
    ones: &mut [One<'_>],
) {
    let granted = at(ones, |step| matches!(step, Step::Stamp(_) | Step::Renew)).into_iter();
    let granted = granted.map(|one| {
        let over = one.lookup.over().map_or(&[][..], |entry| entry);
        let tags = tags::keys(inner, &one.item.request.tags, over);
        (one, tags)
    });
    let granted: Vec<_> = granted.collect();
    let tags = granted.iter().flat_map(|(_, tags)| tags).cloned();
    if let Err(error) = leases.read_tags(policy, tags).await {
        inner.emit(&function.site, &Event::Away(&error));
    }
    let mut barred = HashSet::new();
    for (one, tags) in granted {
        let covered = leases.stamps().covers(&tags);
        barred.extend((!covered).then(|| one.item.request.key.to_string()));
        match (one.held().is_some(), covered) {
            (false, true) => one.hear(Answer::Stamped),
            (false, false) => one.hear(Answer::Away),
            (true, true) => {}
            // It is served.
            (true, false) => one.hear(Answer::Spent),
        }
    }
    leases.let_go(&barred);
    if let Some(claims) = claims {
        claims.let_go(barred.iter().map(String::as_str));
    }
}
