//! Many commands in one write.

use std::pin::Pin;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};

use super::{packed, reply, script};
use crate::error::StoreError;
use crate::store::Answer;

/// The answer to each of `commands`. Where a server that forgot scripts lets a part of them fail, that
/// part is sent again in full.
pub(super) async fn all(
    connection: &mut MultiplexedConnection,
    commands: impl Iterator<Item = Cmd>,
) -> Answer<Vec<Answer<Value>>> {
    let pipeline = piped(commands);
    let mut answers = write(connection, &pipeline).await?;
    let unknown = |answer: &Answer<Value>| matches!(answer, Err(StoreError::Server { code }) if code == script::UNKNOWN);
    let failed: Vec<_> = (0..answers.len())
        .filter(|at| unknown(&answers[*at]))
        .collect();
    if !failed.is_empty() {
        let again = pipeline.cmd_iter().zip(&answers);
        let again = again.filter(|(_, answer)| unknown(answer));
        let full = piped(again.map(|(command, _)| script::in_full(packed::parts(command))));
        for (at, answer) in failed.into_iter().zip(write(connection, &full).await?) {
            answers[at] = answer;
        }
    }
    Ok(answers)
}

/// The answer to one of them.
pub(super) async fn one(connection: &mut MultiplexedConnection, command: Cmd) -> Answer<Value> {
    let mut answers = all(connection, std::iter::once(command)).await?;
    answers.pop().unwrap_or(Err(StoreError::Answer))
}

fn piped(commands: impl Iterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}

async fn write(
    connection: &mut MultiplexedConnection,
    commands: &Pipeline,
) -> Answer<Vec<Answer<Value>>> {
    let answers = connection.send_packed_commands(commands, 0, commands.len());
    let answers = answers.await.map_err(|failure| reply::error(&failure))?;
    match answers.len() == commands.len() {
        true => Ok(answers
            .into_iter()
            .map(|answer| reply::value(Ok(answer)))
            .collect()),
        false => Err(StoreError::Answer),
    }
}

/// Of a type that says nothing of all that it is made of: whether a future can be sent to another thread, the
/// compiler would else have to find out through more levels than it is allowed to.
pub(super) fn apart<'a, T>(
    future: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}
