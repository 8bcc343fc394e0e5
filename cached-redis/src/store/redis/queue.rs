//! Queues on Redis: each partition is a stream, whose entries leave it when they are applied. It is read from its
//! beginning by whoever owns the partition, so there is no group, and nothing is handed out that could be lost.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::packed::{Form as _, Packed};
use super::{PendingSettings, RedisStore, reply, script};
use crate::error::StoreError;
use crate::store::queue::{Accepted, Dead, Depth, Durability, Offer, Partition, Queued, Taken};
use crate::store::{Answer, Store as _, size};
use crate::wire::entry::Token;
use crate::wire::lock;

/// Numbers are ids of the stream: milliseconds, and a count within one.
const COUNT_BITS: u32 = 20;

impl RedisStore {
    /// On a cluster, lets all processes know that values may be pending, before the first one is.
    async fn mark(&self) -> Answer<()> {
        if self.is_shared_out() && !self.marked.load(Ordering::Relaxed) {
            let key = &self.settings.pending.key;
            let command = Packed::of(3, 4 + key.len());
            let command = command.with_all(&[b"SET", key.as_bytes(), b"1"]);
            self.links.call(&command).await?;
            self.marked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether values may be pending of which this process does not know; asked of a cluster, as far as it answers.
    pub(in crate::store) async fn hides_pending(&self) -> bool {
        let PendingSettings { key, spared, .. } = &self.settings.pending;
        if *spared || key.is_empty() || !self.is_shared_out() {
            return false;
        }
        self.get(key).await.is_ok_and(|stands| stands.is_some())
    }

    pub(in crate::store) async fn enqueue(
        &self,
        at: &Partition,
        offer: &Offer<'_>,
    ) -> Answer<Accepted> {
        let length = offer.entry.len() + offer.arguments.len();
        size::check(length, self.settings.value_bytes)?;
        self.mark().await?;
        let (most, most_dead) = (offer.most.to_string(), offer.most_dead.to_string());
        let lag = offer.most_lag.map_or(0, |lag| lag.as_millis().max(1));
        let lag = lag.to_string();
        let number = at.number.to_string();
        let command = script::ENQUEUE.on(
            &[offer.key, &at.queue, &at.dead, &at.held],
            &[
                &offer.entry,
                offer.function.as_bytes(),
                &offer.arguments,
                most.as_bytes(),
                most_dead.as_bytes(),
                at.channel.as_bytes(),
                number.as_bytes(),
                lag.as_bytes(),
            ],
        );
        match size::judged(self.written(at, &command).await, length)? {
            1 => Ok(Accepted::Yes),
            0 => Ok(Accepted::Full),
            -1 => Ok(Accepted::Blocked),
            -2 => Ok(Accepted::Barred),
            -3 => Ok(Accepted::Late),
            _ => Err(StoreError::Answer),
        }
    }

    async fn written(&self, at: &Partition, command: &Packed) -> Answer<i64> {
        match self.settings.pending.durability {
            Durability::Server => self.links.evaluate(command.clone()).await,
            _ => {
                let (links, queue) = (&self.links, &at.channel);
                self.groups
                    .write(links, &self.settings, queue, command)
                    .await
            }
        }
    }

    pub(in crate::store) async fn take(&self, at: &Partition, owner: Token) -> Answer<Taken> {
        let owner = lock::name(owner);
        let keys = [&*at.owner, &at.queue, &at.tries];
        let command = script::TAKE.on(&keys, &[owner.as_bytes()]);
        let answer = self.links.perform(&command).await?;
        if answer == Value::Int(0) {
            return Ok(Taken::NotOwner);
        }
        let mut answer = reply::list(answer)?.into_iter();
        let Some(entry) = answer.next() else {
            return Ok(Taken::Nothing);
        };
        let tries = answer.next().and_then(reply::number);
        let (write, _) = queued(entry)?;
        Ok(Taken::Write(write, tries.ok_or(StoreError::Answer)?))
    }

    pub(in crate::store) async fn finish(&self, at: &Partition, write: &Queued) -> Answer<bool> {
        let id = id(write.number);
        let keys = [&*write.key, &at.queue, &at.tries];
        let args = [id.as_bytes(), write.token.as_bytes().as_slice()];
        self.links.run(script::FINISH.on(&keys, &args)).await
    }

    pub(in crate::store) async fn bury(
        &self,
        at: &Partition,
        number: u64,
        why: &str,
        most: u64,
    ) -> Answer<Option<u64>> {
        let (id, most) = (id(number), most.to_string());
        let keys = [&*at.queue, &at.dead, &at.held, &at.tries];
        let args = [id.as_bytes(), why.as_bytes(), most.as_bytes()];
        let buried = self.links.evaluate(script::BURY.on(&keys, &args)).await?;
        Ok(u64::try_from(buried).ok())
    }

    pub(in crate::store) async fn dead(&self, at: &Partition, most: u64) -> Answer<Vec<Dead>> {
        let command = range(&at.dead, most);
        let letters = reply::list(self.links.ask(&command).await?)?.into_iter();
        let letter = |entry| {
            let (write, why) = queued(entry)?;
            Ok(Dead { write, why })
        };
        letters.map(letter).collect()
    }

    pub(in crate::store) async fn retry_dead(&self, at: &Partition, key: &str) -> Answer<u64> {
        let number = at.number.to_string();
        let keys = [&*at.queue, &at.dead, &at.held];
        let args = [key.as_bytes(), at.channel.as_bytes(), number.as_bytes()];
        let command = script::RETRY_DEAD.on(&keys, &args);
        let count = self.links.evaluate(command).await?;
        u64::try_from(count).map_err(|_| StoreError::Answer)
    }

    pub(in crate::store) async fn drop_dead(&self, at: &Partition, key: &str) -> Answer<bool> {
        let command = script::DROP_DEAD.on(&[key, &at.dead, &at.held], &[]);
        self.links.run(command).await
    }

    pub(in crate::store) async fn depth(&self, at: &Partition) -> Answer<Depth> {
        let length = |of: &str| redis::cmd("XLEN").arg(of).clone();
        let commands = vec![length(&at.queue), length(&at.dead), range(&at.queue, 1)];
        let mut answers = self.links.send_to(&at.queue, commands).await.into_iter();
        let mut next = || answers.next().unwrap_or(Err(StoreError::Answer));
        let mut count = || reply::number(next()?).ok_or(StoreError::Answer);
        let (queued, dead) = (count()?, count()?);
        let oldest = reply::list(next()?)?.into_iter().next();
        let oldest = oldest.map(self::queued).transpose()?;
        Ok(Depth {
            queued,
            dead,
            oldest_ms: oldest.map(|(write, _)| write.number >> COUNT_BITS),
        })
    }
}

fn range(stream: &str, most: u64) -> Cmd {
    let mut command = redis::cmd("XRANGE");
    command.arg(stream).arg("-").arg("+").arg("COUNT").arg(most);
    command
}

fn id(number: u64) -> String {
    format!(
        "{}-{}",
        number >> COUNT_BITS,
        number & ((1 << COUNT_BITS) - 1)
    )
}

fn number(id: &str) -> Option<u64> {
    let (ms, count) = id.split_once('-')?;
    let (ms, count): (u64, u64) = (ms.parse().ok()?, count.parse().ok()?);
    (ms < 1 << (64 - COUNT_BITS) && count < 1 << COUNT_BITS).then_some(ms << COUNT_BITS | count)
}

/// A write, and of a dead letter why it is one.
fn queued(entry: Value) -> Answer<(Queued, String)> {
    let [at, fields] = reply::some(entry)?;
    let number = number(&reply::text(at)?).ok_or(StoreError::Answer)?;
    let mut fields = reply::list(fields)?.into_iter().skip(1).step_by(2);
    let mut next = || -> Answer<Bytes> {
        let field = fields.next().ok_or(StoreError::Answer)?;
        reply::bytes(field)?.ok_or(StoreError::Answer)
    };
    let (key, token, function, arguments) = (next()?, next()?, next()?, next()?);
    let text = |bytes: Bytes| String::from_utf8(bytes.into()).map_err(|_| StoreError::Answer);
    let write = Queued {
        number,
        key: text(key)?,
        token: Token(token[..].try_into().map_err(|_| StoreError::Answer)?),
        function: text(function)?,
        arguments,
    };
    Ok((write, next().map_or(Ok(String::new()), text)?))
}

#[cfg(test)]
mod tests {
    use super::super::RedisSettings;
    use super::super::server::{Server, eventually, store};
    use super::*;
    use crate::error::ConnectProblem;

    fn settings(allowed: bool) -> RedisSettings {
        of(allowed, allowed)
    }

    fn of(allowed: bool, spared: bool) -> RedisSettings {
        let key = "ns:#write-behind".to_owned();
        RedisSettings {
            pending: PendingSettings {
                key,
                allowed,
                spared,
                ..PendingSettings::default()
            },
            ..RedisSettings::default()
        }
    }

    #[tokio::test]
    async fn a_process_that_knows_nothing_of_what_is_pending_is_refused_from_the_first_one_on_that_does()
     {
        let server = Server::start();
        let plain = store(&server.url(), settings(false)).await;
        assert!(plain.is_connected());
        let knowing = store(&server.url(), settings(true)).await;
        assert!(knowing.is_connected());
        let late = store(&server.url(), settings(false)).await;
        assert_eq!(late.first_try(), Err(ConnectProblem::WriteBehind));
        assert!(ConnectProblem::WriteBehind.is_lasting());
        // The early one as soon as it connects again.
        server.command(&[b"CLIENT", b"KILL", b"TYPE", b"normal"]);
        let refused = || format!("{:?}", plain.condition().last_error).contains("WriteBehind");
        eventually(async || refused()).await;
        assert!(!plain.is_connected());
        assert!(store(&server.url(), settings(true)).await.is_connected());
    }

    #[tokio::test]
    async fn a_process_that_spares_what_is_pending_is_let_in_and_marks_nothing() {
        let server = Server::start();
        let sparing = store(&server.url(), of(false, true)).await;
        assert!(sparing.is_connected() && !sparing.hides_pending().await);
        assert!(store(&server.url(), settings(false)).await.is_connected());
        assert!(store(&server.url(), settings(true)).await.is_connected());
        let sparing = store(&server.url(), of(false, true)).await;
        assert!(sparing.is_connected());
    }

    #[tokio::test]
    async fn a_login_that_may_not_ask_for_the_policy_is_taken() {
        let server = Server::start();
        server.command(&[
            b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~*", b"&*", b"+@all", b"-info",
        ]);
        let url = server.url().replace("//", "//ann:pw@");
        assert!(store(&url, settings(true)).await.is_connected());
    }

    #[test]
    fn numbers_are_in_the_order_of_ids() {
        let ids = ["1-0", "1-1", "1750000000000-7", "1750000000001-0"];
        let numbers: Vec<_> = ids.iter().map(|id| number(id).unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        let again: Vec<_> = numbers.into_iter().map(id).collect();
        assert_eq!(again, ids);
        for odd in ["", "1", "1-1048576", "99999999999999-0", "-1-0"] {
            assert_eq!(number(odd), None, "{odd}");
        }
    }
}
