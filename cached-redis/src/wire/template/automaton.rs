//! The texts that a template can make, as a nondeterministic automaton: two templates meet where some path
//! through both takes the same characters.

use super::{Format, Holds, Kind, Step};
use crate::wire::key::separates;

/// How many digits a hash has.
const HASH: u8 = 32;

/// Nodes that follow each other; behind the last one the text is complete.
pub(super) struct Automaton {
    nodes: Vec<Node>,
    /// Of the placeholder that is being written.
    within: Option<Rendered>,
}

/// How a value is rendered, and what is known of it.
type Rendered = (Format, Holds);

#[derive(Clone, Copy)]
enum Node {
    /// One character, of a value or of the template.
    Take(Set, Option<Rendered>),
    /// A value begins, which ends at that node.
    Begin(Rendered, usize),
    /// On to the next node, or to that one.
    Fork(usize),
    /// On to that node.
    Jump(usize),
    /// No further.
    Dead,
}

/// Some characters. Those of more than one all have `1` in common.
#[derive(Clone, Copy)]
enum Set {
    One(char),
    Digit,
    Nonzero,
    /// A digit of a hash.
    Hex,
    /// A digit behind `%`.
    Escape,
    /// What stands in values as it is.
    Plain,
    Every,
}

impl Set {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::One(c), set) | (set, Self::One(c)) => set.has(c),
            _ => true,
        }
    }

    fn has(self, c: char) -> bool {
        match self {
            Self::One(one) => one == c,
            Self::Digit => c.is_ascii_digit(),
            Self::Nonzero => matches!(c, '1'..='9'),
            Self::Hex => matches!(c, '0'..='9' | 'a'..='f'),
            Self::Escape => matches!(c, '0'..='9' | 'A'..='F'),
            Self::Plain => c != '%' && !separates(c),
            Self::Every => true,
        }
    }
}

impl Automaton {
    pub(super) fn new(steps: &[Step]) -> Self {
        let mut automaton = Self {
            nodes: Vec::with_capacity(steps.len()),
            within: None,
        };
        for step in steps {
            match *step {
                Step::Text(c) => automaton.take(Set::One(c)),
                Step::Any => automaton.many(|any| any.take(Set::Every)),
                Step::Value(format, holds) => automaton.placeholder((format, holds)),
            }
        }
        automaton
    }

    /// Whether some text is made by both; `by_format`: with each value rendered as the other one's is.
    pub(super) fn meets(&self, other: &Self, by_format: bool) -> bool {
        let agree = |a, b| !by_format || alike(a, b);
        let mut seen = vec![false; (self.nodes.len() + 1) * (other.nodes.len() + 1)];
        let mut open = vec![(0, 0)];
        while let Some((i, j)) = open.pop() {
            if std::mem::replace(&mut seen[i * (other.nodes.len() + 1) + j], true) {
                continue;
            }
            match (self.nodes.get(i), other.nodes.get(j)) {
                (None, None) => return true,
                (Some(Node::Take(a, of_a)), Some(Node::Take(b, of_b)))
                    if a.meets(*b) && of_a.zip(*of_b).is_none_or(|(a, b)| agree(a, b)) =>
                {
                    open.push((i + 1, j + 1));
                }
                // Of what is not known, a whole value may be the other one.
                (Some(Node::Begin(a, a_end)), Some(Node::Begin(b, b_end)))
                    if alike(*a, *b) && (a.1 == Holds::Nothing || b.1 == Holds::Nothing) =>
                {
                    open.push((*a_end, *b_end));
                }
                _ => {}
            }
            open.extend(self.silent(i).map(|i| (i, j)));
            open.extend(other.silent(j).map(|j| (i, j)));
        }
        false
    }

    /// The nodes that follow one without a character.
    fn silent(&self, node: usize) -> impl Iterator<Item = usize> {
        let (next, far) = match self.nodes.get(node) {
            Some(Node::Begin(..)) => (Some(node + 1), None),
            Some(Node::Fork(far)) => (Some(node + 1), Some(*far)),
            Some(Node::Jump(far)) => (None, Some(*far)),
            Some(Node::Take(..) | Node::Dead) | None => (None, None),
        };
        next.into_iter().chain(far)
    }

    fn placeholder(&mut self, rendered: Rendered) {
        let begin = self.push(Node::Dead);
        self.within = Some(rendered);
        self.value(rendered);
        self.within = None;
        self.nodes[begin] = Node::Begin(rendered, self.nodes.len());
    }

    fn value(&mut self, (format, holds): Rendered) {
        match (format, holds) {
            (Format::Hash, _) => (0..HASH).for_each(|_| self.take(Set::Hex)),
            (_, Holds::Nothing) => {
                self.push(Node::Dead);
            }
            (Format::Debug, Holds::Anything) => {
                self.character();
                self.escaped();
            }
            (_, Holds::Anything) => self.either(Self::escaped, |none| none.text("%none")),
            (_, Holds::Value { kind, optional }) if !optional => self.kind(format, kind),
            (Format::Debug, Holds::Value { kind, .. }) => self.either(
                |none| none.text("None"),
                |some| {
                    some.text("Some(");
                    some.kind(format, kind);
                    some.text(")");
                },
            ),
            (Format::Display, Holds::Value { kind, .. }) => {
                self.either(|some| some.kind(format, kind), |none| none.text("%none"));
            }
        }
    }

    fn kind(&mut self, format: Format, kind: Kind) {
        match kind {
            Kind::Text if format == Format::Debug => {
                self.text("\"");
                self.escaped();
                self.text("\"");
            }
            Kind::Text => self.escaped(),
            Kind::Bool => self.either(|yes| yes.text("true"), |no| no.text("false")),
            Kind::Address => {
                self.address_part();
                self.many(Self::address_part);
            }
            Kind::Integer { signed, digits } => self.either(
                |zero| zero.text("0"),
                |number| {
                    if signed {
                        number.maybe(|sign| sign.text("-"));
                    }
                    number.take(Set::Nonzero);
                    (1..digits).for_each(|_| number.maybe(|digit| digit.take(Set::Digit)));
                },
            ),
        }
    }

    fn address_part(&mut self) {
        let other = |part: &mut Self| part.either(|dot| dot.text("."), Self::escape);
        self.either(|digit| digit.take(Set::Hex), other);
    }

    /// Any text of a value.
    fn escaped(&mut self) {
        self.many(Self::character);
    }

    fn character(&mut self) {
        self.either(|plain| plain.take(Set::Plain), Self::escape);
    }

    fn escape(&mut self) {
        [Set::One('%'), Set::Escape, Set::Escape]
            .into_iter()
            .for_each(|set| self.take(set));
    }

    fn text(&mut self, text: &str) {
        text.chars().for_each(|c| self.take(Set::One(c)));
    }

    fn take(&mut self, set: Set) {
        self.push(Node::Take(set, self.within));
    }

    fn either(&mut self, one: impl FnOnce(&mut Self), other: impl FnOnce(&mut Self)) {
        let fork = self.push(Node::Dead);
        one(self);
        let jump = self.push(Node::Dead);
        self.nodes[fork] = Node::Fork(self.nodes.len());
        other(self);
        self.nodes[jump] = Node::Jump(self.nodes.len());
    }

    fn maybe(&mut self, one: impl FnOnce(&mut Self)) {
        let fork = self.push(Node::Dead);
        one(self);
        self.nodes[fork] = Node::Fork(self.nodes.len());
    }

    fn many(&mut self, one: impl FnOnce(&mut Self)) {
        let fork = self.nodes.len();
        self.maybe(|more| {
            one(more);
            more.push(Node::Jump(fork));
        });
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// Whether two values are rendered in one way, as far as is known.
fn alike((a, a_holds): Rendered, (b, b_holds): Rendered) -> bool {
    a == b || a == Format::Debug && b_holds.is_plain() || b == Format::Debug && a_holds.is_plain()
}
