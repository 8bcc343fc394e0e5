//! Entries in the answers of a server.

use bytes::Bytes;
use redis::Value;

use crate::store::Answer;
use crate::store::redis::reply;

type Entries = Vec<(String, Option<Bytes>)>;

/// The answer to a read of one log; nothing where there was nothing in time.
pub(super) fn of_one_log(value: Value, field: &str) -> Answer<Entries> {
    match reply::list(value)?.pop() {
        Some(log) => {
            let [_, entries] = reply::some(log)?;
            entries_of(entries, field)
        }
        None => Ok(Vec::new()),
    }
}

pub(super) fn entries_of(value: Value, field: &str) -> Answer<Entries> {
    let entry = |value| {
        let [id, fields] = reply::some(value)?;
        Ok((reply::text(id)?, message(fields, field)?))
    };
    reply::list(value)?.into_iter().map(entry).collect()
}

/// The field of ours, or nothing where there is none; `None` where the entry is no longer there.
fn message(fields: Value, field: &str) -> Answer<Option<Bytes>> {
    let fields = reply::list(fields)?;
    match (fields.is_empty(), find(fields, field)) {
        (true, _) => Ok(None),
        (false, Some(value)) => reply::bytes(value),
        (false, None) => Ok(Some(Bytes::new())),
    }
}

/// The value behind a name, in a list of both in turn.
pub(super) fn find(pairs: Vec<Value>, name: &str) -> Option<Value> {
    let mut values = pairs.into_iter();
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        if matches!(&key, Value::BulkString(key) if key == name.as_bytes()) {
            return Some(value);
        }
    }
    None
}

/// The first value in a list.
pub(super) fn head(list: Value) -> Option<Value> {
    reply::list(list).ok()?.into_iter().next()
}
