//! The functions that an operator's questions are about.

use crate::api::catalog::Exported;
use crate::observe::registry::registered;
use crate::wire::tag::{function_key, tag_key};
use crate::wire::template::values::Piece;
use crate::wire::template::values::{fill, pieces, values};

/// One of them.
pub(super) struct Known<'a> {
    pub(super) path: &'a str,
    pub(super) template: &'a str,
    tags: Vec<&'a str>,
}

/// All of them; those whose templates say most come first.
pub(super) fn known(catalog: Option<&Exported>) -> Vec<Known<'_>> {
    let mut known: Vec<_> = match catalog {
        Some(catalog) => catalog
            .functions
            .iter()
            .map(|it| Known {
                path: &it.function,
                template: &it.key,
                tags: it.tags.iter().map(String::as_str).collect(),
            })
            .collect(),
        None => registered()
            .0
            .iter()
            .map(|it| Known {
                path: it.info.path,
                template: it.info.template,
                tags: it.info.tags.to_vec(),
            })
            .collect(),
    };
    known.sort_by_key(|it| std::cmp::Reverse(it.literal()));
    known
}

/// The one that has this key, without the namespace, if it is whole.
pub(super) fn of_key<'a, 'k>(known: &'k [Known<'a>], key: &str) -> Option<&'k Known<'a>> {
    known.iter().find(|it| values(it.template, key).is_some())
}

impl Known<'_> {
    fn literal(&self) -> usize {
        let text = |piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Value(_) => 0,
        };
        pieces(self.template).into_iter().map(text).sum()
    }

    /// The keys of the tags that its attribute gives to `key`; `None`: one is made of what the key does not tell.
    pub(super) fn tags(&self, namespace: &str, key: &str) -> Option<Vec<String>> {
        if self.tags.is_empty() {
            return Some(Vec::new());
        }
        let values = values(self.template, key)?;
        let tag = |template: &&str| Some(tag_key(namespace, &fill(template, &values)?));
        let mut tags: Vec<_> = self.tags.iter().map(tag).collect::<Option<_>>()?;
        tags.push(function_key(namespace, self.template));
        Some(tags)
    }
}
