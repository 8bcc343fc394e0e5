//! What is removed together.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use crate::wire::key::Pattern;

/// Keys, and all keys that match patterns.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Targets {
    /// With their namespace; those of tags are keys too.
    pub(crate) keys: Vec<String>,
    pub(crate) patterns: Vec<Pattern>,
}

impl Targets {
    pub(crate) fn len(&self) -> usize {
        self.keys.len() + self.patterns.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.patterns.extend(other.patterns);
    }

    /// Takes those out that are `of` these.
    pub(crate) fn split_off(&mut self, of: &Self) -> Self {
        let keys: HashSet<_> = of.keys.iter().collect();
        let patterns = |pattern: &mut Pattern| of.patterns.contains(pattern);
        Self {
            keys: self.keys.extract_if(.., |key| keys.contains(key)).collect(),
            patterns: self.patterns.extract_if(.., patterns).collect(),
        }
    }

    /// In pieces of at most `most` keys.
    pub(crate) fn pieces(&self, most: usize) -> Vec<Cow<'_, Self>> {
        if self.keys.len() <= most {
            return vec![Cow::Borrowed(self)];
        }
        let mut pieces: Vec<Self> = self
            .keys
            .chunks(most)
            .map(|it| it.to_vec().into())
            .collect();
        pieces[0].patterns.clone_from(&self.patterns);
        pieces.into_iter().map(Cow::Owned).collect()
    }
}

impl From<Vec<String>> for Targets {
    fn from(keys: Vec<String>) -> Self {
        let patterns = Vec::new();
        Self { keys, patterns }
    }
}

impl From<Pattern> for Targets {
    /// One without a wildcard is a key.
    fn from(pattern: Pattern) -> Self {
        match pattern.exact() {
            Some(key) => vec![key].into(),
            None => Self {
                keys: Vec::new(),
                patterns: vec![pattern],
            },
        }
    }
}

impl FromIterator<Self> for Targets {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        let mut together = Self::default();
        all.into_iter().for_each(|targets| together.extend(targets));
        together
    }
}

impl fmt::Debug for Targets {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}
