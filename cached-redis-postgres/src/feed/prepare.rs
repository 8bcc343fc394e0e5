//! A slot that is missing or lost: nobody knows what was committed meanwhile, so everything goes.
//!
//! The new slot has a name of its own until that is done, and with it the old one only afterwards: who crashes in
//! between leaves a slot under the other name, and all begins anew. One at a time: a lock of the database, which goes with
//! its connection, keeps others out.
//!
//! A transaction that was running when the slot was made may have its commit in the log before the slot begins,
//! and become visible after everything was removed. So, where any was, the slot is read under the other name
//! until they have ended, and everything goes once more.

use super::primary::{Primary, Slot};
use super::run::{Follower, Taken};
use super::stats::FeedState;
use crate::Error;

impl Follower {
    /// Makes a slot; `None` while somebody else does.
    pub(super) async fn prepare(
        &self,
        primary: &Primary,
        slot: Slot,
    ) -> Result<Option<Taken>, Error> {
        let (old, new) = (&self.target.slot, self.target.new_slot());
        // Whoever had it may have made one meanwhile.
        if !primary.lock(old).await? || primary.slot(old).await? != slot {
            return Ok(None);
        }
        self.enter(FeedState::Preparing);
        self.reach("locked").await;
        primary.remove(&new).await?;
        primary.create(&new).await?;
        self.reach("created").await;
        match slot {
            Slot::Lost => tracing::error!(
                slot = old.as_str(),
                "what the slot should have kept is gone: changes were missed, and the whole namespace is removed"
            ),
            _ => tracing::warn!(
                slot = old.as_str(),
                "there was no such slot: changes may have been missed, and the whole namespace is removed"
            ),
        }
        self.shared.record().stats.lost_slots += 1;
        let before = primary.look().await?.snapshot;
        self.clear().await;
        self.reach("cleared").await;
        if slot == Slot::Lost {
            primary.remove(old).await?;
        }
        if before.is_quiet() {
            self.rename(primary).await?;
            let slot = old.clone();
            return Ok(Some(Taken { slot, before: None }));
        }
        Ok(Some(Taken {
            slot: new,
            before: Some(before),
        }))
    }

    /// All that the new slot does not know of is removed: it gets its name.
    pub(super) async fn settle(&self, primary: &Primary) -> Result<(), Error> {
        let new = self.target.new_slot();
        while matches!(primary.slot(&new).await?, Slot::Busy(_)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.rename(primary).await
    }

    /// Gives the new slot the name of the old one, by a copy.
    async fn rename(&self, primary: &Primary) -> Result<(), Error> {
        let new = self.target.new_slot();
        primary.copy(&new, &self.target.slot).await?;
        self.reach("copied").await;
        primary.remove(&new).await
    }
}
