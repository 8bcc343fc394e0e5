//! The function of a batch, as its flow sees it: [the same](crate::read::callee) for many ids, which the flow knows by
//! the places of the entries that answer them.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::call::Request;
use super::desk::Flow;
use crate::engine::context::{Loading, Said};
use crate::engine::encode::Encoder;
use crate::engine::plan::Outcome;
use crate::engine::tags::Stamp;
use crate::protocol::progress::SharedError;
use crate::util::boxed::Boxed;
use crate::wire::codec::Format;
use crate::wire::entry::Live;

/// See the module.
pub(crate) trait Callee {
    /// Whether its codec describes itself, given that of the cache.
    fn describes(&self, cache: Format) -> bool;
    /// Decodes an entry, and answers the ids at this place with that, if it can be read.
    fn decode(&mut self, place: usize, encoder: &Encoder<'_>, live: &Live) -> bool;
    /// Answers them otherwise.
    fn forget(&mut self, place: usize);
    /// Fails with the error of another call, if it is of the function's type.
    fn fail(&mut self, shared: &SharedError) -> bool;
    /// Begins the function for the ids at these places; `None`: for all, which nothing else is asked of then.
    fn begin(&mut self, places: Option<&[usize]>, loading: Option<Arc<Loading>>);
    /// Goes on with it. Whether it succeeds.
    fn run(&mut self, context: &mut Context<'_>) -> Poll<bool>;
    /// Shows what it gave last for the ids at this place: for any of them, as the source may tell only one.
    fn show(&self, place: usize, cache: Format, to: &mut dyn FnMut(Outcome<'_>));
    /// Answers with all that it gave last, if that was no error.
    fn answer(&mut self) -> Result<(), Failed>;
    /// The task that does `job` for the ids at these places, if there can be one without the caller.
    fn detach(&mut self, places: &[usize], job: Box<dyn Job>) -> Option<Boxed<'static, ()>>;
    /// What the function gave in the last task that is awaited is what it gave last.
    fn hear(&mut self) -> Option<Box<Ran>>;
}

/// A call has failed, with what the function gave last.
#[derive(Debug)]
pub(crate) struct Failed;

/// What is done in a task of its own, with all that it needs.
pub(crate) trait Job: Send {
    /// Whether a caller waits for it.
    fn is_awaited(&self) -> bool;
    /// Begins it: what comes of it, for such a caller.
    fn begin(&mut self) -> Flow<'_, Option<Box<Ran>>>;
}

/// A load that has ended.
pub(crate) struct Ran {
    pub(super) is_ok: bool,
    pub(super) said: Said,
    pub(super) stamp: Stamp,
    /// The entries that were made of the results.
    pub(super) made: Vec<Option<Made>>,
}

/// The entry that answers for one key, or is made of what was loaded for it.
pub(super) struct Made {
    /// Where somebody asks what was read.
    pub(super) request: Option<Request>,
    pub(super) entry: Bytes,
}
