//! Invalidations that others ask for: messages on a channel, from any language.
//!
//! Each leads to the protocol's own invalidation, journal included, so it holds as firmly as one of
//! this process once the message is here. The way of the message is the weak part: a channel
//! delivers at most once, and what may have been missed is told.
//!
//! What comes from outside is not trusted to be well-formed, small or rare. Messages that have come
//! together are served together, as one thing.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use crate::engine::handle::Inner;
use crate::observe::event::{Event, Malformed};
use crate::observe::registry::DIRECT;
use crate::store::mailbox::{Heard, Mailbox};
use crate::store::many::MOST;
use crate::util::background::Background;
use crate::wire::key::{self, Pattern};
use crate::wire::message::Names;
use crate::wire::tag;
use crate::wire::targets::Targets;
use crate::write::invalidate;
use crate::write::removal::Removal;

/// The longest message that is looked at.
const LONGEST: usize = 1 << 20;

/// Invalidates what the messages on a channel name; made by
/// [`Cache::listen_for_invalidations`](crate::Cache::listen_for_invalidations).
///
/// Dropped, it stops listening. It does not keep its cache alive.
#[derive(Debug)]
#[must_use = "it only listens while it is kept"]
pub struct InvalidationListener {
    _task: Background,
    _subscriber: Option<Background>,
}

impl InvalidationListener {
    pub(crate) async fn open(inner: &Arc<Inner>, channel: &str) -> Self {
        let (mailbox, subscriber) = inner.store.listen(channel).await;
        let ingestion = Ingestion {
            cache: Arc::downgrade(inner),
            mailbox,
            told: Vec::new(),
        };
        Self {
            _task: Background(inner.runtime.spawn(ingestion.run())),
            _subscriber: subscriber,
        }
    }
}

/// The task.
struct Ingestion {
    cache: Weak<Inner>,
    mailbox: Mailbox,
    /// What was warned of already.
    told: Vec<Malformed>,
}

/// Messages that are served together.
#[derive(Default)]
struct Gathered {
    targets: Targets,
    messages: usize,
}

impl Ingestion {
    async fn run(mut self) {
        while let Some(heard) = poll_fn(|context| self.mailbox.poll(context)).await {
            let Some(inner) = self.cache.upgrade() else {
                return;
            };
            let mut gathered = Gathered::default();
            self.hear(&inner, heard, &mut gathered);
            while gathered.targets.keys.len() < MOST
                && let Some(heard) = self.mailbox.try_next()
            {
                self.hear(&inner, heard, &mut gathered);
            }
            serve(&inner, gathered).await;
        }
    }

    fn hear(&mut self, inner: &Inner, heard: Heard, gathered: &mut Gathered) {
        match heard {
            Heard::Gap => inner.emit(&DIRECT.site, &Event::IngestionGap),
            Heard::Message(message) => match names(&message) {
                Ok(names) => self.gather(inner, names, gathered),
                Err(malformed) => self.refuse(inner, malformed),
            },
        }
    }

    fn gather(&mut self, inner: &Inner, names: Names, gathered: &mut Gathered) {
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
        let before = gathered.targets.len();
        let keys = keys.iter().map(|key| key::full_key(namespace, key));
        let tags = tags.iter().map(|tag| tag::named_key(namespace, tag));
        gathered.targets.keys.extend(keys.chain(tags));
        gathered.targets.patterns.extend(some);
        gathered.messages += usize::from(gathered.targets.len() > before);
    }

    fn refuse(&mut self, inner: &Inner, malformed: Malformed) {
        let first = !self.told.contains(&malformed);
        if first {
            self.told.push(malformed);
        }
        inner.emit(&DIRECT.site, &Event::Malformed(malformed, first));
    }
}

async fn serve(inner: &Arc<Inner>, gathered: Gathered) {
    if gathered.messages > 0 {
        // What the store did not confirm is in the journal, and told.
        let removal = Removal::of(inner, &DIRECT.site, gathered.targets);
        let _ = invalidate::send(removal).await;
    }
    for _ in 0..gathered.messages {
        inner.emit(&DIRECT.site, &Event::Ingested);
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
