//! What a level in process memory needs of a cluster: each server is read over a tracked connection of its own, and
//! what may be kept of that is agreed on by all, under a key in one slot.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, Value};
use tokio::time::sleep;

use super::errand::grouped;
use super::{Cluster, Shared};
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::redis::agreement::{Standing, is_refusal};
use crate::store::redis::reply;
use crate::store::redis::send::apart;
use crate::store::redis::tracked::Read;
use crate::store::slot::slot;
use crate::store::tracked::{Keeper, Shown};

/// The pause between an answer and the next question, at most.
const PERIOD: Duration = Duration::from_secs(1);

impl Cluster {
    pub(in crate::store::redis) fn track(&self, keeper: Arc<dyn Keeper>) {
        self.shared.nodes.track(keeper);
    }

    pub(in crate::store::redis) async fn read_tracked(&self, keys: &[&str]) -> Answer<Shown> {
        if self.shared.pact.is_late() {
            self.tasks.tend();
        }
        let groups = grouped(self.owned(keys)?.into_iter());
        let asked = groups.iter().map(async |(node, places)| {
            let keys: Vec<_> = places.iter().map(|at| keys[*at]).collect();
            let read = node
                .tracked
                .read(&node.link, &self.shared.nodes.settings, &keys);
            let seen = match read.await {
                Ok(Read::Here(entries, seen)) => return Ok(Shown::all(entries, Some(seen))),
                Ok(Read::Elsewhere(seen)) => seen,
                Err(StoreError::Timeout) => return Err(StoreError::Timeout),
                Err(error) => {
                    self.shared.learn_of(&Err::<(), _>(error), node);
                    None
                }
            };
            Ok(Shown::all(apart(self.read_all(&keys)).await?, seen))
        });
        let mut shown = Shown::all(vec![None; keys.len()], None);
        for ((_, places), answer) in groups.iter().zip(join_all(asked).await) {
            let answer = answer?;
            for ((at, entry), seen) in places.iter().zip(answer.entries).zip(answer.seen) {
                shown.entries[*at] = entry;
                shown.seen[*at] = seen;
            }
        }
        Ok(shown)
    }
}

/// The task that agrees with all who use the namespace.
pub(super) async fn agree(shared: Arc<Shared>) {
    let pact = &shared.pact;
    pact.begun().await;
    loop {
        pact.asks();
        // Unanswered, it stands.
        if let Ok(standing) = shared.agreed().await {
            shared.stands(standing);
        }
        sleep(PERIOD.min(pact.period())).await;
    }
}

impl Shared {
    /// It is proposed where nothing stands, and counts from when it is seen to stand.
    async fn agreed(&self) -> Answer<Standing> {
        let agreement = &self.pact.agreement;
        let mut stands = self.ask_for_agreement(&agreement.question()).await?;
        if stands == Some(Value::Nil) {
            self.stands(Standing::Unagreed);
            if self
                .ask_for_agreement(&agreement.proposal())
                .await?
                .is_some()
            {
                stands = self.ask_for_agreement(&agreement.question()).await?;
                if stands == Some(Value::Nil) {
                    return Ok(Standing::Unagreed);
                }
            }
        }
        let agreed = stands.and_then(reply::number).unwrap_or(0);
        Ok(match agreement.is_met_by(agreed) {
            true => Standing::Announces,
            false => Standing::Refused,
        })
    }

    fn stands(&self, standing: Standing) {
        if self.pact.stands(standing) {
            self.nodes.all_moved();
        }
    }

    /// `None`: it may not be asked.
    async fn ask_for_agreement(&self, command: &Cmd) -> Answer<Option<Value>> {
        let slot = slot(&self.pact.agreement.key);
        let node = self.map.load().owner(slot).cloned();
        let node = node.ok_or(StoreError::Unavailable)?;
        let answer = node.link.ask(command).await;
        self.learn_of(&answer, &node);
        match answer {
            Err(StoreError::WrongType) => Ok(None),
            Err(StoreError::Server { code }) if is_refusal(&code) => Ok(None),
            answer => answer.map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
