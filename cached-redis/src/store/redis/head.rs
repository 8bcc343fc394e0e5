//! The beginnings of what stands under keys, with their lengths and lives, in one round trip.

use std::time::Duration;

use redis::{Cmd, Value};

use super::{RedisStore, reply};
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::head::Head;

impl RedisStore {
    /// The first bytes of each, so many if a number is given, or all; `None`: nothing stands there. Not at one
    /// moment, so what has just come or gone may look odd.
    pub(in crate::store) async fn heads(
        &self,
        keys: &[String],
        most: Option<usize>,
    ) -> Answer<Vec<Option<Head>>> {
        let questions = |key: &String| {
            let last = most.map_or(-1, |most| most as isize - 1);
            let mut part = redis::cmd("GETRANGE");
            part.arg(key).arg(0).arg(last);
            [part, about("STRLEN", key), about("PTTL", key)]
        };
        let answers = self.links.send(keys.iter().flat_map(questions)).await;
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or(Err(StoreError::Answer));
        keys.iter().map(|_| head(next(), next(), next())).collect()
    }
}

fn about(command: &str, key: &str) -> Cmd {
    redis::cmd(command).arg(key).clone()
}

fn head(part: Answer<Value>, length: Answer<Value>, life: Answer<Value>) -> Answer<Option<Head>> {
    let ttl = match life? {
        Value::Int(-2) => return Ok(None),
        Value::Int(ms) => u64::try_from(ms).ok().map(Duration::from_millis),
        _ => return Err(StoreError::Answer),
    };
    let bytes = match part {
        Err(StoreError::WrongType) => None,
        part => reply::bytes(part?)?,
    };
    let length = match length {
        Err(StoreError::WrongType) => 0,
        length => reply::number(length?).ok_or(StoreError::Answer)?,
    };
    Ok(Some(Head { bytes, length, ttl }))
}
