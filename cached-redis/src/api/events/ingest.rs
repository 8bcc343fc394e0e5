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
use crate::wire::message::Targets;
use crate::wire::tag;
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
    keys: Vec<String>,
    patterns: Vec<Pattern>,
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
            while gathered.keys.len() < MOST
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
            Heard::Message(message) => match targets(&message) {
                Ok(targets) => self.gather(inner, targets, gathered),
                Err(malformed) => self.refuse(inner, malformed),
            },
        }
    }

    fn gather(&mut self, inner: &Inner, targets: Targets, gathered: &mut Gathered) {
        if targets.keys.iter().any(|key| key.starts_with('#')) {
            self.refuse(inner, Malformed::Reserved);
        }
        let patterns = targets.patterns.iter();
        let patterns: Vec<_> = patterns
            .map(|text| Pattern::new(&inner.namespace, text))
            .collect();
        if patterns.iter().any(Pattern::is_everything) {
            self.refuse(inner, Malformed::Everything);
        }
        let own = |key: &String| !key.starts_with('#');
        let before = gathered.keys.len() + gathered.patterns.len();
        let some = patterns
            .into_iter()
            .filter(|pattern| !pattern.is_everything());
        gathered.patterns.extend(some);
        let keys = targets.keys.into_iter().filter(own);
        let keys = keys.map(|key| key::full_key(&inner.namespace, &key));
        gathered.keys.extend(keys);
        let tags = targets.tags.iter();
        let tags = tags.map(|tag| tag::tag_key(&inner.namespace, tag));
        gathered.keys.extend(tags);
        gathered.messages += usize::from(gathered.keys.len() + gathered.patterns.len() > before);
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
        let removal = Removal::of(inner, &DIRECT.site, gathered.keys, gathered.patterns);
        let _ = invalidate::send(removal).await;
    }
    for _ in 0..gathered.messages {
        inner.emit(&DIRECT.site, &Event::Ingested);
    }
}

/// What a message asks for: the key that it is, or what its JSON names.
fn targets(message: &[u8]) -> Result<Targets, Malformed> {
    if message.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let text = str::from_utf8(message).map_err(|_| Malformed::NotText)?;
    // Tools that send a line send its end as well.
    let text = text.trim_end_matches(['\r', '\n']);
    let targets = match text.starts_with('{') {
        true => serde_json::from_str(text).map_err(|_| Malformed::NotJson)?,
        false => Targets {
            keys: vec![text.to_owned()],
            ..Targets::default()
        },
    };
    let nothing = targets.is_empty() || targets.keys.iter().any(String::is_empty);
    (!nothing).then_some(targets).ok_or(Malformed::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Targets {
        Targets {
            keys: keys.iter().map(ToString::to_string).collect(),
            ..Targets::default()
        }
    }

    #[test]
    fn a_plain_text_is_a_key_as_it_stands_without_the_end_of_its_line() {
        assert_eq!(targets(b"user:42"), Ok(keys(&["user:42"])));
        assert_eq!(targets(b"user:42\r\n"), Ok(keys(&["user:42"])));
        assert_eq!(targets(b" a b "), Ok(keys(&[" a b "])));
    }

    #[test]
    fn json_names_keys_tags_and_patterns_and_whatever_else_it_likes() {
        let all = br#"{"keys": ["a", "b"], "tags": ["t"], "patterns": ["a:*"], "by": 7}"#;
        let expected = Targets {
            tags: vec!["t".to_owned()],
            patterns: vec!["a:*".to_owned()],
            ..keys(&["a", "b"])
        };
        assert_eq!(targets(all), Ok(expected));
        assert_eq!(targets(br#"{"keys":["a"]}"#), Ok(keys(&["a"])));
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
            assert_eq!(targets(odd), Err(kind), "{:?}", odd.get(..20));
        }
    }
}
