//! Listening to a store: on connections of its own, beside the steps.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::any::Bare;
use super::log::{self, Entry, Log, Reader};
use super::mailbox::Mailbox;
use super::memory::MemoryLog;
use super::{Answer, AnyStore};
use crate::util::background::Background;
use crate::util::tasks::Tasks;

/// How many entries of a log wait for their consumer beside those that were read together.
const AHEAD: usize = 1;

impl AnyStore {
    /// Hears from now on what is sent on `channel`. Where that cannot be reached yet, the first thing
    /// to be heard is a gap.
    pub(crate) async fn listen(&self, channel: &str) -> (Mailbox, Option<Background>) {
        match self.bare() {
            Bare::Memory(store) => (store.listen(channel), None),
            Bare::Redis(store) => {
                let (mailbox, task) = store.listen(channel).await;
                (mailbox, Some(task))
            }
        }
    }

    /// Reads a log as a member of a group, which is there when this returns, or could not be reached.
    pub(crate) async fn follow(
        &self,
        reader: &Arc<Reader>,
        runtime: &Tasks,
    ) -> (mpsc::Receiver<Entry>, Background) {
        let reader = Arc::clone(reader);
        match self.bare() {
            Bare::Memory(store) => {
                let store = Arc::clone(store);
                let log = MemoryLog::new(store, Arc::clone(&reader));
                follow(log, reader, runtime).await
            }
            Bare::Redis(store) => {
                let log = store.log(Arc::clone(&reader));
                follow(log, reader, runtime).await
            }
        }
    }

    /// Takes entries of a log off what is pending in a group.
    pub(crate) async fn acknowledge(&self, reader: &Reader, ids: &[String]) -> Answer<()> {
        match (self.bare(), ids) {
            (_, []) => Ok(()),
            (Bare::Memory(store), ids) => {
                ids.iter().for_each(|id| store.acknowledge(reader, id));
                Ok(())
            }
            (Bare::Redis(store), ids) => store.acknowledge(reader, ids).await,
        }
    }
}

async fn follow(
    log: impl Log,
    reader: Arc<Reader>,
    runtime: &Tasks,
) -> (mpsc::Receiver<Entry>, Background) {
    let (taker, entries) = mpsc::channel(AHEAD);
    let (tried, first_try) = oneshot::channel();
    let task = runtime.spawn(log::follow(log, reader, taker, tried));
    // Nothing is sent: it is dropped when the attempt is over.
    let _ = first_try.await;
    (entries, Background(task))
}
