//! Many keys in one round trip: a read is one MGET, everything else a pipeline.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};

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
        let part = |(key, length): &(&str, Option<usize>)| {
            let mut command = Cmd::new();
            let last = length.map_or(-1, |length| length as isize - 1);
            command.arg("GETRANGE").arg(key).arg(0).arg(last);
            command
        };
        let answers = self.links.send(keys.iter().map(part)).await.into_iter();
        let part = |answer: Answer<Value>| match answer {
            Ok(value) => Ok(reply::bytes(value)?.filter(|bytes| !bytes.is_empty())),
            // As in a read of several keys.
            Err(StoreError::WrongType) => Ok(None),
            Err(error) => Err(error),
        };
        answers.map(part).collect()
    }
}
