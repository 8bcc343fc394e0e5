//! Many keys in one round trip: a read is one MGET, everything else a pipeline.

use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::{RedisStore, command, reply};
use crate::error::StoreError;
use crate::store::many::{Asked, Filling, Granted};
use crate::store::{Answer, size};
use crate::wire::entry::Token;

impl RedisStore {
    pub(in crate::store) async fn acquire_all(
        &self,
        asked: &[Asked],
        lease: Bytes,
        ttl: Duration,
    ) -> Vec<Answer<Granted>> {
        let command = |asked: &Asked| match &asked.over {
            None => command::acquire(&asked.key, &lease, ttl),
            Some(seen) => command::acquire_over(&asked.key, seen, &lease, ttl),
        };
        let answers = self.links.send(asked.iter().map(command)).await;
        let granted = |(asked, answer): (&Asked, Answer<Value>)| match asked.over {
            None => reply::bytes(answer?).map(Granted::of),
            Some(_) => reply::flag(&answer?).map(Granted::over),
        };
        asked.iter().zip(answers).map(granted).collect()
    }

    pub(in crate::store) async fn seize_all(
        &self,
        keys: &[String],
        lease: Bytes,
        ttl: Duration,
    ) -> Vec<Answer<bool>> {
        let seize = |key: &String| command::seize(key, &lease, ttl);
        self.links.run_each(keys.iter().map(seize)).await
    }

    pub(in crate::store) async fn extend_all(
        &self,
        keys: &[String],
        token: Token,
        ttl: Duration,
    ) -> Vec<Answer<bool>> {
        let extend = |key: &String| command::extend(key, token, ttl);
        self.links.run_each(keys.iter().map(extend)).await
    }

    pub(in crate::store) async fn fill_all(&self, fills: &[Filling]) -> Vec<Answer<bool>> {
        let check = |fill: &Filling| size::check(fill.entry.len(), self.settings.value_bytes);
        let sent = fills.iter().filter(|fill| check(fill).is_ok()).map(|fill| {
            command::fill(
                &fill.key,
                fill.token,
                &fill.entry,
                fill.ttl,
                &self.bars(&fill.key),
            )
        });
        let mut answers = self.links.run_each(sent).await.into_iter();
        let answers = fills.iter().map(|fill| {
            check(fill)?;
            let answer = answers.next().unwrap_or(Err(StoreError::Answer));
            size::judged(answer, fill.entry.len())
        });
        answers.collect()
    }

    pub(in crate::store) async fn release_all(
        &self,
        keys: &[String],
        token: Token,
    ) -> Vec<Answer<bool>> {
        let release = |key: &String| command::release(key, token);
        self.links.run_each(keys.iter().map(release)).await
    }
}

impl RedisStore {
    pub(in crate::store) async fn read_parts(
        &self,
        keys: &[(&str, Option<usize>)],
    ) -> Answer<Vec<Option<Bytes>>> {
        if let [(key, length)] = keys {
            let command = command::read_part(key, *length);
            return Ok(vec![part(self.links.call(&command).await)?]);
        }
        let commands = keys.iter();
        let commands = commands.map(|(key, length)| command::read_part(key, *length));
        let answers = self.links.send(commands).await.into_iter();
        answers
            .map(|answer| part(answer.and_then(reply::bytes)))
            .collect()
    }
}

/// As in a read of several keys, what is none of ours is nothing.
fn part(answer: Answer<Option<Bytes>>) -> Answer<Option<Bytes>> {
    match answer {
        Ok(part) => Ok(part.filter(|bytes| !bytes.is_empty())),
        Err(StoreError::WrongType) => Ok(None),
        Err(error) => Err(error),
    }
}
