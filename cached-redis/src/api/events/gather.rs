//! What messages of others ask for.
//!
//! Each leads to the protocol's own invalidation, journal included, so it holds as firmly as one of
//! this process once the message is here. What comes from outside is not trusted to be well-formed, small
//! or rare. Messages that have come together are served together, as one thing.

use std::mem;
use std::sync::Arc;

use crate::engine::handle::Inner;
use crate::observe::event::{Event, Malformed};
use crate::observe::registry::DIRECT;
use crate::store::many::MOST;
use crate::wire::key::{self, Pattern};
use crate::wire::message::Names;
use crate::wire::tag;
use crate::wire::targets::Targets;
use crate::write::invalidate;
use crate::write::invalidation::Invalidation;
use crate::write::removal::Removal;

/// The longest message that is looked at.
const LONGEST: usize = 1 << 20;

/// Messages that are served together.
#[derive(Default)]
pub(super) struct Gathered {
    targets: Targets,
    messages: usize,
    /// What was warned of already.
    told: Vec<Malformed>,
}

impl Gathered {
    /// Whether more fit into the same step.
    pub(super) fn has_room(&self) -> bool {
        self.targets.keys.len() < MOST
    }

    /// Adds what a message names, or tells that it is refused.
    pub(super) fn add(&mut self, inner: &Inner, message: &[u8]) {
        match names(message) {
            Ok(names) => self.add_names(inner, names),
            Err(malformed) => self.refuse(inner, malformed),
        }
    }

    fn add_names(&mut self, inner: &Inner, names: Names) {
        let namespace = &inner.namespace;
        let Names {
            mut keys,
            tags,
            patterns,
        } = names;
        if keys.iter().any(|key| key.starts_with('#')) {
            self.refuse(inner, Malformed::Reserved);
        }
        keys.retain(|key| !key.starts_with('#'));
        let patterns = patterns.iter().map(|text| Pattern::new(namespace, text));
        let (all, some): (Vec<_>, Vec<_>) = patterns.partition(Pattern::is_everything);
        if !all.is_empty() {
            self.refuse(inner, Malformed::Everything);
        }
        let before = self.targets.len();
        let keys = keys.iter().map(|key| key::full_key(namespace, key));
        let tags = tags.iter().map(|tag| tag::named_key(namespace, tag));
        self.targets.keys.extend(keys.chain(tags));
        self.targets.patterns.extend(some);
        self.messages += usize::from(self.targets.len() > before);
    }

    fn refuse(&mut self, inner: &Inner, malformed: Malformed) {
        let first = !self.told.contains(&malformed);
        if first {
            self.told.push(malformed);
        }
        inner.emit(&DIRECT.site, &Event::Malformed(malformed, first));
    }

    /// Invalidates all of it. What the store did not confirm is in the journal, and told.
    pub(super) async fn send(&self, inner: &Arc<Inner>) -> Invalidation {
        if self.messages == 0 {
            return Invalidation::Done;
        }
        let removal = Removal::of(inner, &DIRECT.site, self.targets.clone());
        let sent = invalidate::send(removal).await;
        sent.unwrap_or(Invalidation::Deferred)
    }

    /// They are served: counts them, and makes room for others.
    pub(super) fn served(&mut self, inner: &Inner) {
        self.targets = Targets::default();
        for _ in 0..mem::take(&mut self.messages) {
            inner.emit(&DIRECT.site, &Event::Ingested);
        }
    }
}

/// What a message asks for: the key that it is, or what its JSON names.
fn names(message: &[u8]) -> Result<Names, Malformed> {
    if message.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let text = str::from_utf8(message).map_err(|_| Malformed::NotText)?;
    // Tools that send a line send its end as well.
    let text = text.trim_end_matches(['\r', '\n']);
    let names: Names = match text.starts_with('{') {
        true => serde_json::from_str(text).map_err(|_| Malformed::NotJson)?,
        false => Names {
            keys: vec![text.to_owned()],
            ..Names::default()
        },
    };
    let nothing = names.is_empty() || names.keys.iter().any(String::is_empty);
    (!nothing).then_some(names).ok_or(Malformed::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Names {
        Names {
            keys: keys.iter().map(ToString::to_string).collect(),
            ..Names::default()
        }
    }

    #[test]
    fn a_plain_text_is_a_key_as_it_stands_without_the_end_of_its_line() {
        assert_eq!(names(b"user:42"), Ok(keys(&["user:42"])));
        assert_eq!(names(b"user:42\r\n"), Ok(keys(&["user:42"])));
        assert_eq!(names(b" a b "), Ok(keys(&[" a b "])));
    }

    #[test]
    fn json_names_keys_tags_and_patterns_and_whatever_else_it_likes() {
        let all = br#"{"keys": ["a", "b"], "tags": ["t"], "patterns": ["a:*"], "by": 7}"#;
        let expected = Names {
            tags: vec!["t".to_owned()],
            patterns: vec!["a:*".to_owned()],
            ..keys(&["a", "b"])
        };
        assert_eq!(names(all), Ok(expected));
        assert_eq!(names(br#"{"keys":["a"]}"#), Ok(keys(&["a"])));
    }

    #[test]
    fn whatever_else_comes_is_refused_by_its_kind() {
        for (odd, kind) in [
            (&b""[..], Malformed::Nothing),
            (b"\n", Malformed::Nothing),
            (b"{}", Malformed::Nothing),
            (br#"{"key":"a"}"#, Malformed::Nothing),
            (br#"{"keys":["a",""]}"#, Malformed::Nothing),
            (b"{", Malformed::NotJson),
            (br#"{"keys":"a"}"#, Malformed::NotJson),
            (br#"{"keys":["a"]} x"#, Malformed::NotJson),
            (br#"{"keys":[1]}"#, Malformed::NotJson),
            (b"\xff", Malformed::NotText),
            (&[b'a'; LONGEST + 1], Malformed::TooLong),
        ] {
            assert_eq!(names(odd), Err(kind), "{:?}", odd.get(..20));
        }
    }
}
