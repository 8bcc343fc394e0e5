//! Sending a message to those who listen, and to those who come later.
//!
//! In one round trip, and both or nothing where the server refuses one of them: a message that is not
//! confirmed is sent again, and what a user may never do would else put it into the log each time.

use redis::{Cmd, Value};

use super::links::Links;
use super::reply;
use crate::store::{Answer, Outlet, Retention};

pub(super) async fn publish(links: &Links, outlet: &Outlet, message: &[u8]) -> Answer<()> {
    let send = redis::cmd("PUBLISH")
        .arg(&outlet.channel)
        .arg(message)
        .clone();
    let Some(retention) = &outlet.retention else {
        return links.ask(&send).await.map(drop);
    };
    let append = append(retention, message);
    let commands = vec![redis::cmd("MULTI"), append, send, redis::cmd("EXEC")];
    let answers = links.send_to(&retention.log, commands).await;
    let answers: Answer<Vec<_>> = answers.into_iter().collect();
    match answers?.pop() {
        Some(Value::Array(done)) => done
            .into_iter()
            .try_for_each(|answer| reply::value(Ok(answer)).map(drop)),
        _ => Ok(()),
    }
}

fn append(retention: &Retention, message: &[u8]) -> Cmd {
    let mut command = redis::cmd("XADD");
    command.arg(&retention.log);
    command.arg("MAXLEN").arg("~").arg(retention.most);
    command.arg("*").arg(retention.field).arg(message);
    command
}
