//! What takes time and is worth a place in a trace: a load and an invalidation. A hit is neither.
//!
//! Spans name the function and never a key, as events do. Their target is their own, so that they can be had
//! without the events.

use tracing::span::Entered;
use tracing::{Span, debug_span};

use crate::wire::targets::Targets;

/// One run of the user's function. Boxed, since it is a part of every call's future.
#[derive(Default)]
pub(crate) struct LoadSpan(Option<Box<Span>>);

impl LoadSpan {
    /// `None` where nobody listens.
    pub(crate) fn of(function: &'static str) -> Self {
        let span = load(function);
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// For as long as the load is polled.
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_ref().map(|span| span.enter())
    }
}

fn load(function: &'static str) -> Span {
    debug_span!(target: "cached_redis::spans", "cached_redis.load", function, otel.kind = "internal")
}

/// One invalidation, from its beginning until it is confirmed or deferred.
pub(crate) fn invalidation(function: &'static str, targets: &Targets) -> Span {
    let (keys, patterns) = (targets.keys.len(), targets.patterns.len());
    debug_span!(
        target: "cached_redis::spans", "cached_redis.invalidation", function, keys, patterns, otel.kind = "internal"
    )
}
