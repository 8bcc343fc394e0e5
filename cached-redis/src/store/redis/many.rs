//! Many keys in one round trip: a read is one MGET, everything else a pipeline.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::link::Link;
use super::script::{self, Script};
use super::{RedisStore, envelope_token, millis, reply};
use crate::error::StoreError;
use crate::store::many::{Answer, Asked, Filling, Granted, MOST};
use crate::store::size;
use crate::wire::entry::Token;

impl RedisStore {
    /// Those over nothing in one pipeline, those over a dead entry in another.
    pub(in crate::store) async fn acquire_all(
        &self,
        asked: &[Asked],
        lease: Bytes,
        ttl: Duration,
    ) -> Vec<Answer<Granted>> {
        let (over, new): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.over.is_some());
        let mut new = self.acquire_new(&new, &lease, ttl).await.into_iter();
        let mut over = self.acquire_over_all(&over, &lease, ttl).await.into_iter();
        let answer = |asked: &Asked| match asked.over {
            None => new.next(),
            Some(_) => over.next(),
        };
        asked
            .iter()
            .map(answer)
            .map(|answer| answer.unwrap_or(Err(StoreError::Answer)))
            .collect()
    }

    async fn acquire_new(
        &self,
        asked: &[&Asked],
        lease: &Bytes,
        ttl: Duration,
    ) -> Vec<Answer<Granted>> {
        let mut answers = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(MOST) {
            let commands = chunk.iter().map(|asked| {
                let mut command = Cmd::with_capacity(7, 30 + asked.key.len() + lease.len());
                command.arg("SET").arg(&asked.key).arg(&**lease);
                command.arg("NX").arg("GET").arg("PX").arg(millis(ttl));
                command
            });
            let granted = |answer: Answer<Value>| Ok(Granted::of(reply::bytes(answer?)?));
            let replies = self.link.ask_each(commands, chunk.len()).await;
            answers.extend(replies.into_iter().map(granted));
        }
        answers
    }

    async fn acquire_over_all(
        &self,
        asked: &[&Asked],
        lease: &Bytes,
        ttl: Duration,
    ) -> Vec<Answer<Granted>> {
        let ttl = millis(ttl).to_string();
        let args: Vec<[&[u8]; 4]> = asked
            .iter()
            .map(|asked| {
                let seen = asked.over.as_deref().unwrap_or_default();
                let (token, whole) = match envelope_token(seen) {
                    Some(token) => (token, &[][..]),
                    None => (&[][..], seen),
                };
                [lease, ttl.as_bytes(), token, whole]
            })
            .collect();
        let calls = asked.iter().zip(&args);
        let calls: Vec<_> = calls
            .map(|(asked, args)| (asked.key.as_str(), &args[..]))
            .collect();
        let answers = self.link.run_each(&script::ACQUIRE_OVER, &calls).await;
        let granted = |answer: Answer<bool>| answer.map(Granted::over);
        answers.into_iter().map(granted).collect()
    }

    pub(in crate::store) async fn seize_all(
        &self,
        keys: &[String],
        lease: Bytes,
        ttl: Duration,
    ) -> Vec<Answer<bool>> {
        let ttl = millis(ttl).to_string();
        self.each(&script::SEIZE, keys, &[&lease, ttl.as_bytes()])
            .await
    }

    pub(in crate::store) async fn extend_all(
        &self,
        keys: &[String],
        token: Token,
        ttl: Duration,
    ) -> Vec<Answer<bool>> {
        let ttl = millis(ttl).to_string();
        let args = [token.as_bytes(), ttl.as_bytes()];
        self.each(&script::EXTEND, keys, &args).await
    }

    pub(in crate::store) async fn fill_all(&self, fills: &[Filling]) -> Vec<Answer<bool>> {
        let fits = |fill: &Filling| size::check(fill.entry.len(), self.value_bytes);
        let sent: Vec<_> = fills.iter().filter(|fill| fits(fill).is_ok()).collect();
        let ttls = sent.iter().map(|fill| millis(fill.ttl).to_string());
        let ttls: Vec<_> = ttls.collect();
        let bars = self.bars_key.as_bytes();
        let args: Vec<[&[u8]; 4]> = sent
            .iter()
            .zip(&ttls)
            .map(|(fill, ttl)| [fill.token.as_bytes(), &*fill.entry, ttl.as_bytes(), bars])
            .collect();
        let calls = sent.iter().zip(&args);
        let calls: Vec<_> = calls
            .map(|(fill, args)| (fill.key.as_str(), &args[..]))
            .collect();
        let mut answers = self.link.run_each(&script::FILL, &calls).await.into_iter();
        let answers = fills.iter().map(|fill| {
            fits(fill)?;
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
        self.each(&script::RELEASE, keys, &[token.as_bytes()]).await
    }

    async fn each(&self, script: &Script, keys: &[String], args: &[&[u8]]) -> Vec<Answer<bool>> {
        let calls: Vec<_> = keys.iter().map(|key| (key.as_str(), args)).collect();
        self.link.run_each(script, &calls).await
    }
}

impl Link {
    /// Sends `count` commands in one write; the answer to each.
    async fn ask_each(
        &self,
        commands: impl Iterator<Item = Cmd>,
        count: usize,
    ) -> Vec<Answer<Value>> {
        let answers = match self.connection.current().await {
            Ok(mut connection) => {
                let sent = pin!(script::send(&mut connection, commands));
                let answers = self.deadline.limit(sent).await.unwrap_or_else(Err);
                self.judged_all(answers)
            }
            Err(error) => Err(error),
        };
        answers.unwrap_or_else(|error| vec![Err(error); count])
    }

    /// Runs a script on each key with its arguments; what it said of each.
    async fn run_each(&self, script: &Script, calls: &[(&str, &[&[u8]])]) -> Vec<Answer<bool>> {
        let mut said = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(MOST) {
            let answers = match self.connection.current().await {
                Ok(mut connection) => {
                    let run = pin!(script.run_each(&mut connection, chunk));
                    let answers = self.deadline.limit(run).await.unwrap_or_else(Err);
                    self.judged_all(answers)
                }
                Err(error) => Err(error),
            };
            let answers = answers.unwrap_or_else(|error| vec![Err(error); chunk.len()]);
            said.extend(answers.into_iter().map(|answer| reply::flag(&answer?)));
        }
        said
    }

    /// Of a pipeline that was answered, the first refusal speaks for the server.
    fn judged_all(
        &self,
        answers: Result<Vec<Answer<Value>>, StoreError>,
    ) -> Result<Vec<Answer<Value>>, StoreError> {
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return self.judged(Err(error)),
        };
        let refusal = answers.iter().find_map(|answer| answer.as_ref().err());
        // The answers themselves go on to their keys.
        let _ = self.judged(refusal.map_or(Ok(()), |error| Err(error.clone())));
        Ok(answers)
    }
}
