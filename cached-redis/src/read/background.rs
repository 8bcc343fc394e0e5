//! Loads in a task of their own, for whom no caller waits, or not for ever.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::time::timeout;

use crate::engine::context;
use crate::engine::encode::Encoder;
use crate::engine::handle::{self, Inner};
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::read::control::Wish;
use crate::read::reader::Reader;
use crate::read::right::{Right, Running};
use crate::util::boxed::Boxed;
use crate::util::work::Begun;
use crate::wire::tag::Tags;

/// A load with all that it needs, and without its caller.
pub(crate) struct Job {
    inner: Arc<Inner>,
    key: String,
    tags: Tags,
    function: &'static Function,
    policy: Policy,
    describes: bool,
    version: Option<u64>,
    origin: Option<u64>,
    right: Option<Right>,
    /// How long its caller waits for it.
    patience: Option<Duration>,
    /// It is what its caller leaves behind.
    _work: Begun,
}

impl Job {
    pub(crate) fn new(reader: &Reader<'_>, right: Right, patience: Option<Duration>) -> Box<Self> {
        let Encoder {
            function,
            policy,
            describes,
            version,
            origin,
            ..
        } = reader.encoder;
        Box::new(Self {
            inner: Arc::clone(reader.inner),
            key: reader.key.to_owned(),
            tags: reader.tags.clone(),
            function,
            policy: *policy,
            describes,
            version,
            origin,
            right: Some(right),
            patience,
            _work: reader.inner.runtime.work.begin(),
        })
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            inner: &self.inner,
            key: &self.key,
            tags: &self.tags,
            wish: Wish::default(),
            encoder: Encoder {
                inner: &self.inner,
                key: &self.key,
                function: self.function,
                policy: &self.policy,
                describes: self.describes,
                version: self.version,
                origin: self.origin,
            },
        }
    }

    /// Begins the load; `None`: it is not to be tried now, or has been.
    pub(crate) fn begin(&mut self) -> Boxed<'_, Option<Box<Running<'_>>>> {
        let right = self.right.take();
        Box::pin(async move { self.reader().claimed(right?).await })
    }

    /// Spawns the task that runs it, and waits for it as long as its caller does. Whether it ends in time.
    pub(crate) fn spawn(
        self: Box<Self>,
        task: impl FnOnce(Box<Self>) -> Boxed<'static, ()>,
    ) -> Boxed<'static, bool> {
        let (inner, patience) = (Arc::clone(&self.inner), self.patience);
        let ended = spawn(&inner, task(self), patience);
        // As it would have in the caller's task.
        Box::pin(async { ended.await.unwrap_or_else(|panic| resume_unwind(panic)) })
    }
}

/// Spawns a task, and waits for it as long as there is patience. Whether it ends in time; an error is its panic.
pub(crate) fn spawn(
    inner: &Inner,
    task: Boxed<'static, ()>,
    patience: Option<Duration>,
) -> Boxed<'static, thread::Result<bool>> {
    let task = context::carried_over(patience.is_some(), task);
    let running = inner.runtime.spawn(handle::in_this_scope(task));
    Box::pin(async move {
        let Some(patience) = patience else {
            return Ok(false);
        };
        match timeout(patience, running).await {
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => Err(panic),
                // The runtime ends.
                Err(_) => Ok(false),
            },
            ended => Ok(ended.is_ok()),
        }
    })
}

impl<'a> Reader<'a> {
    /// Begins the load of `right`, once that is claimed of all processes. `None`: another one loads, or it
    /// is not to be tried now.
    pub(crate) async fn claimed(self, right: Right) -> Option<Box<Running<'a>>> {
        let right = match right {
            Right::Renewal(renewal) => Right::Renewal(self.claim(renewal).await?),
            right => right,
        };
        Some(self.begin(right))
    }
}
