//! The connection over which the level reads, and what its answers and notices do to what is kept.

use super::{Rule, Rules, Time, is_over};

/// That connection, as its process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link<T> {
    /// Counts what has voided everything.
    pub(crate) era: u32,
    /// When the newest command was sent that is known to be answered: what was invalidated before was
    /// announced before that answer.
    pub(crate) horizon: Option<T>,
}

/// How often something of this shard was dropped. Two items that share it cost each other an answer now
/// and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shard {
    pub(crate) drops: u32,
}

/// What a read notes before it sends its command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    pub(crate) era: u32,
    pub(crate) drops: u32,
}

/// How long an item that is kept may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Life<T: Time> {
    pub(crate) era: u32,
    /// When the command was sent that has shown it.
    pub(crate) sent: T,
    /// From then on.
    pub(crate) span: T::Span,
}

/// Where something to keep comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An entry or a generation, read over the link.
    Read,
    /// A load, with a lease or without, whatever became of its fill.
    Load,
}

/// What a process hears that may void what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice<I> {
    /// The server announces a change of this item.
    Changed(I),
    /// Of everything.
    Flushed,
    /// The link is gone.
    Lost,
    /// On any connection: another server, another epoch, another owner of the slot.
    Moved,
    /// An invalidation is about to be sent from here.
    Sends(I),
    /// It, or its replay, is confirmed.
    Confirmed(I),
}

/// What is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voids<I> {
    Nothing,
    Item(I),
    All,
}

impl<I> Notice<I> {
    pub(crate) fn voids(self, rules: &impl Rules<Rule>) -> Voids<I> {
        let (rule, voids) = match self {
            Self::Changed(item) => return Voids::Item(item),
            Self::Sends(item) => (Rule::DropsBefore, Voids::Item(item)),
            Self::Confirmed(item) => (Rule::DropsAfter, Voids::Item(item)),
            Self::Flushed => (Rule::VoidsAtFlush, Voids::All),
            Self::Lost => (Rule::VoidsAtLoss, Voids::All),
            Self::Moved => (Rule::VoidsAtMove, Voids::All),
        };
        match rules.follows(rule) {
            true => voids,
            false => Voids::Nothing,
        }
    }
}

impl<T: Time> Link<T> {
    pub(crate) fn new() -> Self {
        Self {
            era: 0,
            horizon: None,
        }
    }

    /// A command that was sent then is answered. Notices that came before it must have been heard.
    pub(crate) fn answered(&mut self, rules: &impl Rules<Rule>, sent: T, now: T) {
        let then = match rules.follows(Rule::HorizonBySending) {
            true => sent,
            false => now,
        };
        self.horizon = self.horizon.max(Some(then));
    }

    /// The same of another connection.
    pub(crate) fn answered_elsewhere(&mut self, rules: &impl Rules<Rule>, sent: T, now: T) {
        if !rules.follows(Rule::HorizonByLink) {
            self.answered(rules, sent, now);
        }
    }

    /// Nothing that was read, or asked for, up to now is of any use.
    pub(crate) fn void(&mut self) {
        self.era = self.era.wrapping_add(1);
        self.horizon = None;
    }
}

impl Shard {
    pub(crate) fn ticket<T>(self, link: &Link<T>) -> Ticket {
        Ticket {
            era: link.era,
            drops: self.drops,
        }
    }

    /// An item of it is dropped; and so is what was asked for, but is not here yet.
    pub(crate) fn void(&mut self) {
        self.drops = self.drops.wrapping_add(1);
    }

    /// Whether an answer may be kept.
    pub(crate) fn keeps<T>(
        self,
        rules: &impl Rules<Rule>,
        link: &Link<T>,
        ticket: Ticket,
        origin: Origin,
    ) -> bool {
        (origin == Origin::Read || !rules.follows(Rule::KeepsWhatIsRead))
            && (ticket.drops == self.drops || !rules.follows(Rule::ComparesDrops))
            && (ticket.era == link.era || !rules.follows(Rule::ComparesEra))
    }
}

impl<T: Time> Life<T> {
    /// Of an item that has `rest` to live in the store, and is kept for `local` at most.
    pub(crate) fn new(
        rules: &impl Rules<Rule>,
        link: &Link<T>,
        sent: T,
        local: T::Span,
        rest: T::Span,
    ) -> Self {
        let span = match rules.follows(Rule::LivesAsInStore) {
            true => local.min(rest),
            false => local,
        };
        let era = link.era;
        Self { era, sent, span }
    }

    /// Whether it may be served.
    pub(crate) fn lasts(
        &self,
        rules: &impl Rules<Rule>,
        link: &Link<T>,
        now: T,
        delta: T::Span,
    ) -> bool {
        let newest = link
            .horizon
            .map_or(self.sent, |horizon| horizon.max(self.sent));
        self.era == link.era
            && now.since(self.sent) < self.span
            && !(is_over(newest, now, delta) && rules.follows(Rule::HeedsHorizon))
    }
}
