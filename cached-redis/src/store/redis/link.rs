//! One operation on the server: it takes the connection that is there, has its deadline, and is
//! judged.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use redis::{Cmd, Value};

use super::batch::{Batches, Join};
use super::connection::Connection;
use super::connector::Role;
use super::deadline::{Age, Deadline, Lived};
use super::dial::Route;
use super::packed::{self, Packed};
use super::settings::RedisSettings;
use super::{reply, script, send};
use crate::error::StoreError;
use crate::store::many::MOST;
use crate::store::stats::{Measured, Measuring, Operation};
use crate::store::{Answer, Told};
use crate::util::tasks::Tasks;

/// What a caller has who waits until somebody is told how a command ended.
pub(crate) struct Waiting {
    join: Join,
    lived: Lived,
    measuring: Option<Measuring>,
}

impl Waiting {
    /// It has ended, as far as anybody waits.
    pub(super) fn measured(&mut self, measured: &Measured) {
        if let Some(measuring) = self.measuring.take() {
            measured.end(measuring);
        }
    }
}

/// Commands of more bytes go by the client, one by one.
pub(super) const LARGE: usize = 64 * 1024;

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) deadline: Arc<Deadline>,
    pub(super) route: Arc<Route>,
}

impl Link {
    /// Starts to connect, for as long as `tasks` are there.
    pub(super) fn start(
        route: Arc<Route>,
        settings: &RedisSettings,
        role: Role,
        deadline: &Arc<Deadline>,
        tasks: Arc<Tasks>,
    ) -> Self {
        let batches = Arc::new(Batches::of(route.is_shard));
        deadline.bounds(&batches);
        let (to, settings) = (Arc::clone(&route), settings.clone());
        Self {
            connection: Connection::start(to, settings, role, batches, tasks),
            deadline: Arc::clone(deadline),
            route,
        }
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Answer<Value> {
        self.ask_within(&mut self.deadline.age(), command).await
    }

    async fn ask_within(&self, age: &mut Age<'_>, command: &Cmd) -> Answer<Value> {
        let mut connection = self.connection.current().await?;
        let measuring = measured(packed::parts(command));
        let sent = pin!(connection.send_packed_command(command));
        let answer = self.deadline.within(age, sent).await;
        self.deadline.measured.end(measuring);
        self.judged(answer.and_then(reply::value))
    }

    /// Sends commands, at most [`MOST`] in one write; the answer to each. Those to scripts go this way alone.
    pub(super) async fn send(&self, mut commands: impl Iterator<Item = Cmd>) -> Vec<Answer<Value>> {
        let mut answers = Vec::new();
        loop {
            let some: Vec<_> = commands.by_ref().take(MOST).collect();
            if some.is_empty() {
                return answers;
            }
            let count = some.len();
            let sent = self.write(some).await;
            answers.extend(sent.unwrap_or_else(|error| vec![Err(error); count]));
        }
    }

    async fn write(&self, commands: Vec<Cmd>) -> Answer<Vec<Answer<Value>>> {
        let mut connection = self.connection.current().await?;
        let measuring = Measuring::begin(Operation::Command);
        let sent = pin!(send::all(&mut connection, commands.into_iter()));
        let answers = self.deadline.limit(sent).await.unwrap_or_else(Err);
        self.deadline.measured.end(measuring);
        // The first refusal speaks for the server; the answers themselves go on to their commands.
        let refusal = match &answers {
            Ok(answers) => answers.iter().find_map(|answer| answer.as_ref().err()),
            Err(error) => Some(error),
        };
        let _ = self.judged(refusal.map_or(Ok(()), |error| Err(error.clone())));
        answers
    }

    /// Asks what has a string, a number or nothing as its answer, past the client.
    /// A script that the server has forgotten is sent in full within the same deadline.
    pub(super) async fn call(&self, command: &Packed) -> Answer<Option<Bytes>> {
        let mut age = self.deadline.age();
        match self.call_once(command, &mut age).await {
            Err(StoreError::Server { code }) if code == script::UNKNOWN => {
                let in_full = script::in_full(command.parts());
                self.call_once(&in_full, &mut age).await
            }
            answer => answer,
        }
    }

    async fn call_once(&self, command: &Packed, age: &mut Age<'_>) -> Answer<Option<Bytes>> {
        // It would hold up those who are written together with it.
        if command.bytes().len() > LARGE {
            return reply::string(self.ask_within(age, &command.to_cmd()).await?);
        }
        let (batches, mut reply) = (self.connection.batches(), None);
        let join = |waker: &Waker| batches.call(command, waker);
        let measuring = measured(command.parts());
        self.entered(age, measuring, || true, join, |answer| reply = answer)
            .await?;
        Ok(reply)
    }

    /// The same for what ends without its caller: `told` is told how, wherever that is known. `None`: there is
    /// no connection any more, and nothing was sent.
    pub(super) fn tell(&self, command: &Packed, told: Arc<dyn Told>) -> Option<Waiting> {
        let join = self.connection.batches().tell(command, told)?;
        // After that: the thread may be about to sleep.
        let lived = self.deadline.begin();
        let measuring = Some(measured(command.parts()));
        Some(Waiting {
            join,
            lived,
            measuring,
        })
    }

    /// To be called whenever a caller is polled who waits until that is told: it has his deadline then. Whether
    /// there is nothing left to wait for.
    pub(super) fn attend(&self, waiting: &mut Waiting, context: &Context<'_>) -> bool {
        let has_ended = waiting.join.poll(context, drop).is_ready();
        let is_late = !has_ended && self.deadline.is_too_long(&mut waiting.lived);
        if is_late {
            self.connection.batches().late(&waiting.join);
            self.connection.missed();
        }
        if has_ended || is_late {
            waiting.measured(&self.deadline.measured);
        }
        has_ended || is_late
    }

    /// Reads `key`, together with others where there are any.
    pub(super) async fn read(&self, key: &str) -> Answer<Option<Bytes>> {
        let mut entry = None;
        self.read_once(&[key], |answer| entry = answer).await?;
        Ok(entry)
    }

    /// The same for several keys, as many at once as one command may name.
    pub(super) async fn read_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let mut entries = Vec::with_capacity(keys.len());
        let mut got = |answer| entries.push(answer);
        for chunk in keys.chunks(MOST) {
            if !self.read_once(chunk, &mut got).await? {
                for key in chunk {
                    self.read_once(&[key], &mut got).await?;
                }
            }
        }
        Ok(entries)
    }

    /// By one command; `false`: the server lets us read no more than one key at once.
    async fn read_once(&self, keys: &[&str], got: impl FnMut(Option<Bytes>)) -> Answer<bool> {
        let batches = self.connection.batches();
        let is_let = || keys.len() == 1 || !batches.refuses();
        let join = |waker: &Waker| batches.join(keys, waker);
        let operation = match keys {
            [_] => Operation::Get,
            _ => Operation::Mget,
        };
        let measuring = Measuring::begin(operation);
        self.entered(&mut self.deadline.age(), measuring, is_let, join, got)
            .await
    }

    /// Has a place among what is sent, again if that was not; `false`: once that is let no more.
    #[expect(
        clippy::manual_async_fn,
        reason = "the arguments of an async function have two places in its future"
    )]
    fn entered(
        &self,
        age: &mut Age<'_>,
        measuring: Measuring,
        is_let: impl Fn() -> bool,
        enter: impl Fn(&Waker) -> Option<Join>,
        mut got: impl FnMut(Option<Bytes>),
    ) -> impl Future<Output = Answer<bool>> {
        async move {
            // However often it starts over.
            while is_let() {
                if age.is_too_great() {
                    return Err(StoreError::Timeout);
                }
                self.connection.admitted().await?;
                if let Some(answer) = self.joined(&enter, age, &mut got).await {
                    self.deadline.measured.end(measuring);
                    return answer.map(|()| true);
                }
            }
            Ok(false)
        }
    }

    /// `None`: start over.
    fn joined(
        &self,
        enter: impl Fn(&Waker) -> Option<Join>,
        age: &mut Age<'_>,
        mut got: impl FnMut(Option<Bytes>),
    ) -> impl Future<Output = Option<Answer<()>>> {
        let batches = self.connection.batches();
        let mut join = None::<Join>;
        poll_fn(move |context| {
            let Some(join) = &mut join else {
                join = enter(context.waker());
                // The connection has ended meanwhile.
                let lost = || Poll::Ready(Some(self.judged(Err(StoreError::Lost))));
                // After that, so that the tick which the thread gives before it goes to sleep is not missed.
                age.leave_mark();
                return join.as_ref().map_or_else(lost, |_| Poll::Pending);
            };
            match join.poll(context, &mut got) {
                Poll::Pending if age.is_too_great() => {
                    batches.late(join);
                    self.connection.missed();
                    Poll::Ready(Some(Err(StoreError::Timeout)))
                }
                polled => polled,
            }
        })
    }

    /// Every operation that was attempted comes through here.
    pub(super) fn judged<T>(&self, answer: Answer<T>) -> Answer<T> {
        self.connection.ended(&answer);
        answer
    }
}

/// As what it is measured, from now on.
fn measured<'a>(command: impl Iterator<Item = &'a [u8]>) -> Measuring {
    let operation = match script::is_run_by(command) {
        true => Operation::Script,
        false => Operation::Command,
    };
    Measuring::begin(operation)
}

#[cfg(test)]
mod tests;
