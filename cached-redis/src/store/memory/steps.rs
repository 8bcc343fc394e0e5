//! The steps of a store in memory.

use std::time::Duration;

use bytes::Bytes;

use super::MemoryStore;
use super::shard::{Change, alive, carries, same};
use crate::error::StoreError;
use crate::store::{Answer, Outlet, Put, Store, bounded, millis, size};
use crate::wire::entry::{Token, is_pending};
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;
use crate::wire::tombstone::Tombstone;

impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Answer<Option<Bytes>> {
        Ok(alive(&mut self.lock(key), key).cloned())
    }

    async fn get_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let get = |key: &&str| alive(&mut self.lock(key), key).cloned();
        Ok(keys.iter().map(get).collect())
    }

    async fn stamp(
        &self,
        tags: &[(String, Generation)],
        ttl: Duration,
    ) -> Answer<Vec<Option<Generation>>> {
        let stamp = |(tag, new): &(String, Generation)| {
            self.step(tag, |standing| match standing {
                None => (
                    Change::Set(Bytes::copy_from_slice(new.bytes()), ttl),
                    Some(*new),
                ),
                Some(bytes) => match Generation::read(bytes) {
                    None => (Change::Keep, None),
                    some => (Change::Prolong(ttl), some),
                },
            })
        };
        Ok(tags.iter().map(stamp).collect())
    }

    async fn acquire(&self, key: &str, lease: Bytes, ttl: Duration) -> Answer<Option<Bytes>> {
        Ok(self.step(key, |standing| match standing {
            Some(bytes) => (Change::Keep, Some(bytes.clone())),
            None => (Change::Set(lease, ttl), None),
        }))
    }

    async fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> Answer<bool> {
        Ok(self.step(key, |standing| match standing {
            Some(bytes) if same(bytes, &seen) && !is_pending(bytes) => {
                (Change::Set(lease, ttl), true)
            }
            Some(bytes) => (Change::Keep, same(bytes, &lease)),
            None => (Change::Keep, false),
        }))
    }

    async fn seize(&self, key: &str, lease: Bytes, ttl: Duration) -> Answer<bool> {
        Ok(self.step(key, |standing| match standing {
            Some(bytes) if Tombstone::stands(bytes) || is_pending(bytes) => (Change::Keep, false),
            _ => (Change::Set(lease, ttl), true),
        }))
    }

    async fn extend(&self, key: &str, token: Token, ttl: Duration) -> Answer<bool> {
        Ok(self.step_if(key, token, |bytes| Change::Set(bytes.clone(), ttl)))
    }

    async fn fill(&self, key: &str, token: Token, entry: Bytes, ttl: Duration) -> Answer<bool> {
        size::check(entry.len(), self.value_bytes)?;
        self.step(key, |standing| match standing {
            Some(bytes) if carries(bytes, token.as_bytes()) => match self.is_barred(key) {
                true => (Change::Keep, Err(StoreError::barred())),
                false => (Change::Set(entry, ttl), Ok(true)),
            },
            Some(bytes) => (Change::Keep, Ok(same(bytes, &entry))),
            None => (Change::Keep, Ok(false)),
        })
    }

    async fn release(&self, key: &str, token: Token) -> Answer<bool> {
        Ok(self.step_if(key, token, |_| Change::Remove))
    }

    async fn invalidate(&self, keys: &[String]) -> Answer<()> {
        match keys {
            [key] => self.step(key, |_| (Change::Remove, ())),
            keys => drop(self.step_each(keys, |_| (Change::Remove, ()))),
        }
        Ok(())
    }

    async fn bar(&self, id: Token, life: Option<Duration>, prefixes: &[String]) -> Answer<bool> {
        let now = self.clock_ms();
        let deadline = life.map(|life| now + millis(life));
        Ok(self.bars.lock().set(id, deadline, prefixes, now))
    }

    /// One shard at a time.
    async fn scan(&self, prefix: &str, cursor: u128) -> Answer<(Vec<String>, u128)> {
        let Some(shard) = self.shards.get(cursor as usize) else {
            return Ok((Vec::new(), 0));
        };
        let shard = shard.lock();
        let keys = shard.iter().map(|(key, _)| key.to_string());
        let keys = keys.filter(|key| key.starts_with(prefix)).collect();
        let next = (cursor + 1) % self.shards.len() as u128;
        Ok((keys, next))
    }

    async fn begin(&self, keys: &[String], token: Token, hold: Duration) -> Answer<()> {
        let pending =
            |key: &String| alive(&mut self.lock(key), key).is_some_and(|it| is_pending(it));
        let pending = keys.iter().any(pending);
        let begun = self.step_all(keys, token, false, |tombstone, now| {
            tombstone.begin(token, now + millis(hold)).then_some(true)
        });
        let code = "FULL".to_owned();
        match begun {
            false if pending => Err(StoreError::pending()),
            false => Err(StoreError::Server { code }),
            true => Ok(()),
        }
    }

    async fn hold(&self, keys: &[String], token: Token, hold: Duration) -> Answer<bool> {
        Ok(self.step_all(keys, token, false, |tombstone, now| {
            tombstone.hold(token, now + millis(hold)).then_some(true)
        }))
    }

    async fn end(&self, keys: &[String], token: Token, hold_off: Option<Duration>) -> Answer<bool> {
        Ok(self.step_all(keys, token, true, |tombstone, now| {
            Some(tombstone.end(token, hold_off.map(|time| now + millis(time))))
        }))
    }

    async fn put(&self, key: &str, token: Token, entry: Bytes, ttl: Duration) -> Answer<Put> {
        size::check(entry.len(), self.value_bytes)?;
        Ok(self.step(key, |standing| {
            if standing.is_some_and(|bytes| same(bytes, &entry)) {
                return (Change::Keep, Put::Stored);
            }
            if standing.is_some_and(|bytes| is_pending(bytes)) {
                return (Change::Keep, Put::Lapsed);
            }
            let now = self.clock_ms();
            let mut tombstone = Tombstone::read(standing, now);
            if tombstone.is_only(token) && !self.is_barred(key) {
                return (Change::Set(entry, ttl), Put::Stored);
            }
            let ended = match tombstone.end(token, None) {
                true => Put::Ended,
                false => Put::Lapsed,
            };
            (Change::to(&tombstone, token, now), ended)
        }))
    }

    async fn invalidate_guarded(&self, keys: &[String], hold_off: Option<Duration>) -> Answer<()> {
        self.step_all(keys, Token::next(), true, |tombstone, now| {
            tombstone.interfere(hold_off.map(|time| now + millis(time)));
            Some(true)
        });
        Ok(())
    }

    async fn lock(&self, key: &str, holder: Token, life: Duration) -> Answer<Grant> {
        let granted = self.step_lock(key, |record, now| record.grant(holder, now, bounded(life)));
        granted.ok_or(StoreError::WrongType)
    }

    async fn extend_lock(&self, key: &str, holder: Token, life: Duration) -> Answer<bool> {
        let extended = self.step_lock(key, |record, now| record.extend(holder, now, bounded(life)));
        Ok(extended.unwrap_or(false))
    }

    async fn unlock(&self, key: &str, holder: Token) -> Answer<bool> {
        let freed = self.step_lock(key, |record, now| record.end(holder, now));
        Ok(freed.unwrap_or(false))
    }

    async fn publish(&self, outlet: &Outlet, message: Bytes) -> Answer<()> {
        self.send(outlet, &message);
        Ok(())
    }

    fn now_ms(&self, _key: &str) -> u64 {
        self.clock_ms()
    }
}
