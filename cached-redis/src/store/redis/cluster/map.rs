//! Who has which slots. It is replaced as a whole, and read without a lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::node::Node;
use super::peer::Peer;
use super::topology::Topology;
use crate::store::slot::SLOTS;
use crate::util::moment::Moment;

/// See the module.
pub(super) struct SlotMap {
    /// Those that have any, in the order of their first.
    nodes: Vec<Arc<Node>>,
    /// The place of the owner of each slot.
    owners: Box<[u16; SLOTS]>,
    /// Another one for each change.
    pub(super) version: u32,
    /// How far whoever told it knew of elections and moves; `None`: nobody has yet.
    pub(super) epoch: Option<u64>,
    /// Slots that were on their way, and when that was seen last.
    moving: HashMap<u16, Moment>,
}

const NOBODY: u16 = u16::MAX;

/// For how long a slot counts as on its way after somebody was told so: longer than an operation takes.
const MOVING: Duration = Duration::from_secs(10);

impl SlotMap {
    /// Of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self {
            nodes: Vec::new(),
            owners: Box::new([NOBODY; SLOTS]),
            version: 0,
            epoch: None,
            moving: HashMap::new(),
        }
    }

    /// What a server has told. `None`: one of the `nodes` cannot be had.
    pub(super) fn of(told: Topology, node: impl Fn(&Peer) -> Option<Arc<Node>>) -> Option<Self> {
        let mut map = Self::unknown();
        map.epoch = Some(told.epoch);
        for (slots, peer) in told.shares {
            let node = node(&peer)?;
            slots.for_each(|slot| map.give(slot, &node));
        }
        Some(map)
    }

    /// The next one after `now`, if there is anything new in it. Whoever was asked when it was like `then` knows
    /// nothing of what was moved since; and of slots that he does not know, nothing is unlearnt.
    pub(super) fn after(mut self, now: &Self, then: &Self) -> Option<Self> {
        for slot in 0..SLOTS as u16 {
            if let Some(node) = now.owner(slot)
                && (self.owner(slot).is_none() || !now.owns_alike(then, slot))
            {
                self.give(slot, node);
            }
        }
        let stays = |(slot, _): &(&u16, &Moment)| self.owns_alike(now, **slot);
        let moving = now.moving.iter().filter(stays);
        self.moving = moving.map(|(slot, seen)| (*slot, *seen)).collect();
        let is_like = self.is_like(now);
        self.version = now.version + u32::from(!is_like);
        (!is_like || self.epoch != now.epoch).then_some(self)
    }

    /// The next one, in which `node` has `slot`; `None`: it has it in this one.
    pub(super) fn moved(&self, slot: u16, node: &Arc<Node>) -> Option<Self> {
        if self
            .owner(slot)
            .is_some_and(|owner| Arc::ptr_eq(owner, node))
        {
            return None;
        }
        let mut next = self.copy();
        next.version += 1;
        next.moving.remove(&slot);
        next.give(slot, node);
        Some(next)
    }

    /// The same, in which `slot` is on its way to somebody; `None`: that was noted just now.
    pub(super) fn moving(&self, slot: u16) -> Option<Self> {
        const NOTED: Duration = Duration::from_secs(1);
        if self
            .moving
            .get(&slot)
            .is_some_and(|seen| seen.elapsed() < NOTED)
        {
            return None;
        }
        let mut next = self.copy();
        next.moving.insert(slot, Moment::now());
        Some(next)
    }

    fn copy(&self) -> Self {
        Self {
            nodes: self.nodes.clone(),
            owners: self.owners.clone(),
            version: self.version,
            epoch: self.epoch,
            moving: self.moving.clone(),
        }
    }

    fn give(&mut self, slot: u16, node: &Arc<Node>) {
        let known = self.nodes.iter().position(|it| Arc::ptr_eq(it, node));
        let at = known.unwrap_or_else(|| {
            self.nodes.push(Arc::clone(node));
            self.nodes.len() - 1
        });
        self.owners[usize::from(slot)] = at as u16;
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        let at = self.owners[usize::from(slot)];
        self.nodes.get(usize::from(at))
    }

    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Whether `slot` is on its way, as somebody was told of late.
    pub(super) fn is_moving(&self, slot: u16) -> bool {
        self.moving
            .get(&slot)
            .is_some_and(|seen| seen.elapsed() < MOVING)
    }

    /// Whether any slot is.
    pub(super) fn moves(&self) -> bool {
        self.moving.keys().any(|slot| self.is_moving(*slot))
    }

    /// Whether nobody has some slot.
    pub(super) fn has_hole(&self) -> bool {
        self.owners.contains(&NOBODY)
    }

    /// Whether a scan that began by one goes on by the other: their servers are in the same order.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let mut nodes = self.nodes.iter().zip(&other.nodes);
        self.nodes.len() == other.nodes.len()
            && nodes.all(|(one, other)| Arc::ptr_eq(one, other))
            && (0..SLOTS as u16).all(|slot| self.owns_alike(other, slot))
    }

    /// Who has a slot in this one that he does not have in the `next`. It is asked for each slot that moves, so each slot
    /// is looked at once, whoever has it.
    pub(super) fn losers(&self, next: &Self) -> impl Iterator<Item = &Arc<Node>> {
        let place = |node: &Arc<Node>| next.nodes.iter().position(|it| Arc::ptr_eq(it, node));
        let later: Vec<_> = self.nodes.iter().map(place).collect();
        let mut lost = vec![false; later.len()];
        for (now, then) in self.owners.iter().zip(&next.owners[..]) {
            let (now, then) = (usize::from(*now), usize::from(*then));
            if later.get(now).is_some_and(|later| *later != Some(then)) {
                lost[now] = true;
            }
        }
        let each = self.nodes.iter().zip(lost);
        each.filter_map(|(node, lost)| lost.then_some(node))
    }

    fn owns_alike(&self, other: &Self, slot: u16) -> bool {
        match (self.owner(slot), other.owner(slot)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}
