//! What stands beside a value that no load of its readers has made: `put`, `put_through`, `update`, and
//! `#[write_through]`.
//!
//! A reader that finds its tags while it loads takes an entry without any for one that has none, and then
//! no invalidation of a tag drops it; one whose attribute gives tags, or a version, takes it for dead. So
//! whoever writes says what the readers of the key carry. Where nothing was said and a reader is known to
//! need it, the value is not stored and the key invalidated: that is always right.
//!
//! What the attributes of the readers say is known at link time; that a function finds tags, or inherits
//! them, only once it has done so here.

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::registry::{self, Function, Site};
use crate::wire::entry::Live;
use crate::wire::key::Pattern;
use crate::wire::tag::{self, Tags};

/// The tags and the version that a writer says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label {
    pub(crate) tags: Tags,
    /// That of the source.
    pub(crate) version: Option<u64>,
}

impl Label {
    /// The same for the full key `key`, with the tag that all entries of a tagged function share where its
    /// readers have one. Else the reader that would look for what it lacks.
    pub(crate) fn fitted(&self, inner: &Inner, key: &str) -> Result<Self, &'static Function> {
        let mut fitted = self.clone();
        for reader in readers(inner, key) {
            if self.lacks(inner, reader) {
                return Err(reader);
            }
            if !reader.info.tags.is_empty() {
                let own = tag::function_key(&inner.namespace, reader.info.template);
                fitted.tags.name(own);
            }
        }
        Ok(fitted)
    }

    /// Whether an entry is of the version.
    pub(crate) fn fits(&self, live: &Live) -> bool {
        self.version.is_none() || live.version() == self.version
    }

    fn lacks(&self, inner: &Inner, reader: &Function) -> bool {
        self.tags.is_empty() && has_tags(inner, reader)
            || self.version.is_none() && reader.info.versioned
    }
}

/// Tells of a value that `reader` would not find as it was written.
pub(crate) fn unlabelled(inner: &Inner, site: &Site, reader: &Function) {
    let event = Event::Unlabelled {
        reader: reader.info.path,
        first: reader.unlabelled.first(),
    };
    inner.emit(site, &event);
}

/// The functions that have tags or a version, and may read `key`.
fn readers<'a>(
    inner: &'a Inner,
    key: &'a str,
) -> impl Iterator<Item = &'static Function> + use<'a> {
    registry::readers().filter(move |reader| {
        let needs = reader.info.versioned || has_tags(inner, reader);
        needs && Pattern::of_template(&inner.namespace, reader.info.template).matches(key)
    })
}

fn has_tags(inner: &Inner, reader: &Function) -> bool {
    !reader.info.tags.is_empty() || inner.finders.has(&reader.site)
}

/// The functions that were seen to find tags, or to inherit them, by the slots of their sites.
pub(crate) struct Finders(Box<[AtomicBool]>);

impl Finders {
    pub(crate) fn new(sites: usize) -> Self {
        Self(iter::repeat_with(AtomicBool::default).take(sites).collect())
    }

    /// It has found one.
    pub(crate) fn add(&self, site: &Site) {
        if let Some(seen) = self.0.get(site.slot()) {
            seen.store(true, Ordering::Relaxed);
        }
    }

    fn has(&self, site: &Site) -> bool {
        let seen = self.0.get(site.slot());
        seen.is_some_and(|seen| seen.load(Ordering::Relaxed))
    }
}
