//! Everything in a namespace goes.
//!
//! What the store does not confirm is kept in the [`journal`](crate::protocol::journal) as the whole
//! namespace, before anybody learns of it; so it goes on without its caller too.

use std::sync::Arc;

use crate::engine::handle::Inner;
use crate::engine::remove;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::protocol::journal::Attempt;
use crate::store::Answer;
use crate::write::invalidation::Invalidation;

struct Clearing<'a> {
    inner: &'a Arc<Inner>,
    attempt: Attempt,
    answer: Answer<()>,
}

/// Removes all entries, leases and generations of tags of the cache's namespace.
pub(crate) async fn namespace(inner: &Arc<Inner>) -> Invalidation {
    let mut clearing = Clearing {
        inner,
        attempt: inner.journal.begin(),
        // Until there is one.
        answer: Err(StoreError::Unavailable),
    };
    let answer = remove::namespace(inner, None).await;
    clearing.answer = answer.and_then(|()| {
        let settled = inner.journal.confirm_all(clearing.attempt);
        settled.map(drop).ok_or(StoreError::Lost)
    });
    match clearing.answer {
        Ok(()) => Invalidation::Done,
        Err(_) => Invalidation::Deferred,
    }
}

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        if let Err(error) = &self.answer {
            self.inner.journal.keep_all(self.attempt);
            self.inner.emit(&DIRECT.site, &Event::Deferred(1, error));
            self.inner.runtime.tend();
        }
    }
}
