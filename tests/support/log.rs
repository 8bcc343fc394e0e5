//! Collects all that is told to `tracing`, to look for what should be there and what must not.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Wants everything. While there is only one subscriber, `tracing` lets the first thread that comes by
/// a place decide for all whether anybody listens there, and another test's thread would say no.
static LISTENER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Log::default()));

/// The lines told on one thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    /// Collects on this thread, whatever the level, until the guard is dropped. Tests that use it
    /// run on one thread.
    pub(crate) fn collect() -> (Self, DefaultGuard) {
        LazyLock::force(&LISTENER);
        let log = Self::default();
        let guard = tracing::subscriber::set_default(log.clone());
        (log, guard)
    }

    /// Everything, as one text.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().unwrap();
        lines.iter().map(|(_, line)| format!("{line}\n")).collect()
    }

    /// The lines of a level that contain `text`.
    pub(crate) fn count(&self, level: Level, text: &str) -> usize {
        let lines = self.0.lock().unwrap();
        let matching = lines
            .iter()
            .filter(|(of, line)| *of == level && line.contains(text));
        matching.count()
    }

    /// How many warnings there are, but for those on options and servers, which any cache may be the first to tell.
    pub(crate) fn warnings(&self) -> usize {
        let advice = ["options do harm together", "has no `maxmemory`"];
        let advice = advice.map(|text| self.count(Level::WARN, text));
        self.count(Level::WARN, "") - advice.iter().sum::<usize>()
    }

    /// The number of the line, from 1.
    fn push(&self, metadata: &Metadata<'_>, fields: impl FnOnce(&mut Fields)) -> u64 {
        let mut line = Fields(format!("{} {}", metadata.level(), metadata.target()));
        fields(&mut line);
        let mut lines = self.0.lock().unwrap();
        lines.push((*metadata.level(), line.0));
        lines.len() as u64
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Id::from_u64(self.push(span.metadata(), |fields| {
            fields.0 += " ";
            fields.0 += span.metadata().name();
            span.record(fields);
        }))
    }

    /// Told at a level that no span of the library has.
    fn try_close(&self, span: Id) -> bool {
        let mut lines = self.0.lock().unwrap();
        let line = format!("closed {}", lines[span.into_u64() as usize - 1].1);
        lines.push((Level::TRACE, line));
        true
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.push(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes all");
    }
}
