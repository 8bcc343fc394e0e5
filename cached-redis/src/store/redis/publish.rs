//! Sending a message to those who listen, and to those who come later.
//!
//! In one round trip, and both or nothing where the server refuses one of them: a message that is not
//! confirmed is sent again, and what a user may never do would else put it into the log each time.

use redis::{Pipeline, Value};

use super::link::Link;
use super::reply;
use crate::error::StoreError;
use crate::store::{FIELD, Outlet, Retention};

pub(super) async fn publish(
    link: &Link,
    outlet: &Outlet,
    message: &[u8],
) -> Result<(), StoreError> {
    let mut commands = Pipeline::new();
    match &outlet.retention {
        Some(retention) => {
            commands.cmd("MULTI");
            append(&mut commands, retention, message);
            send(&mut commands, &outlet.channel, message);
            commands.cmd("EXEC");
        }
        None => send(&mut commands, &outlet.channel, message),
    }
    match link.ask_all(&commands).await?.pop() {
        Some(Value::Array(done)) => done
            .into_iter()
            .try_for_each(|answer| reply::value(Ok(answer)).map(drop)),
        _ => Ok(()),
    }
}

fn append(commands: &mut Pipeline, retention: &Retention, message: &[u8]) {
    commands.cmd("XADD").arg(&retention.log);
    commands.arg("MAXLEN").arg("~").arg(retention.most);
    commands.arg("*").arg(FIELD).arg(message);
}

fn send(commands: &mut Pipeline, channel: &str, message: &[u8]) {
    commands.cmd("PUBLISH").arg(channel).arg(message);
}
