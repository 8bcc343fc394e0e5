//! What the server answered, in the terms of the steps.
//!
//! Error texts of the server may quote arguments, so of an error only its code goes on, and only if
//! it looks like one; but all of one that says which server to ask instead.

use std::time::Duration;

use bytes::Bytes;
use redis::{ErrorKind, RedisError, RedisResult, ServerError, Value};

use crate::error::StoreError;
use crate::store::Answer;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

/// Sorts errors out: those of the connection, and those that came as an answer.
pub(super) fn value(answer: RedisResult<Value>) -> Answer<Value> {
    match answer {
        Ok(Value::ServerError(refusal)) => Err(server(&refusal)),
        Ok(value) => Ok(value),
        Err(failure) => Err(error(&failure)),
    }
}

/// A list; of nothing where there is none.
pub(super) fn list(value: Value) -> Answer<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(StoreError::Answer),
    }
}

/// A list of so many.
pub(super) fn some<const N: usize>(value: Value) -> Answer<[Value; N]> {
    list(value)?.try_into().map_err(|_| StoreError::Answer)
}

/// A text.
pub(super) fn text(value: Value) -> Answer<String> {
    redis::from_redis_value(value).map_err(|_| StoreError::Answer)
}

/// A number, also as a text.
pub(super) fn number(value: Value) -> Option<u64> {
    redis::from_redis_value(value).ok()
}

/// A string or nothing. Takes over the reply's buffer.
pub(super) fn bytes(value: Value) -> Answer<Option<Bytes>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes.into())),
        Value::Nil => Ok(None),
        _ => Err(StoreError::Answer),
    }
}

/// A string, a number as one, or nothing.
pub(super) fn string(value: Value) -> Answer<Option<Bytes>> {
    match value {
        Value::Int(number) => Ok(Some(number.to_string().into())),
        Value::Okay => Ok(Some(Bytes::from_static(b"OK"))),
        value => bytes(value),
    }
}

/// The 1 or 0 that scripts answer.
pub(super) fn flag(value: &Value) -> Answer<bool> {
    match value {
        Value::Int(number) => Ok(*number == 1),
        _ => Err(StoreError::Answer),
    }
}

/// The number that scripts answer.
pub(super) fn integer(answer: Option<&[u8]>) -> Answer<i64> {
    let text = answer.and_then(|answer| str::from_utf8(answer).ok());
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or(StoreError::Answer)
}

/// The answer to asking for a lock: its number; or, negative, for how many ms somebody else holds it.
pub(super) fn grant(answer: i64) -> Grant {
    match answer {
        number if number > 0 => Grant::Ours(number.unsigned_abs()),
        left => Grant::Theirs(Duration::from_millis(left.unsigned_abs())),
    }
}

/// A generation; `None` where there is something else in its place.
pub(super) fn generation(value: Value) -> Answer<Option<Generation>> {
    match bytes(value)? {
        None => Ok(None),
        Some(bytes) => Generation::read(&bytes).map(Some).ok_or(StoreError::Answer),
    }
}

/// The answer to TIME, in ms; `None` if it is an error.
pub(super) fn time_ms(value: Value) -> Option<u64> {
    let (seconds, micros): (u64, u64) = redis::from_redis_value(value).ok()?;
    seconds.checked_mul(1000)?.checked_add(micros / 1000)
}

/// The answer to a step of a scan. A key that is no text is none of ours.
pub(super) fn scanned(value: Value) -> Answer<(Vec<String>, u64)> {
    let answer: Result<(u64, Vec<Vec<u8>>), _> = redis::from_redis_value(value);
    let (cursor, keys) = answer.map_err(|_| StoreError::Answer)?;
    let keys = keys.into_iter().map(String::from_utf8);
    Ok((keys.filter_map(Result::ok).collect(), cursor))
}

pub(super) fn error(error: &RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Io => StoreError::Lost,
        ErrorKind::RESP3NotSupported => refusal("ERR"),
        ErrorKind::AuthenticationFailed => refusal("WRONGPASS"),
        _ => match (error.code(), error.redirect_node()) {
            (Some(code), Some((to, slot))) => refusal(&format!("{code} {slot} {to}")),
            (code, _) => code.map_or(StoreError::Answer, refusal),
        },
    }
}

fn server(answer: &ServerError) -> StoreError {
    error(&answer.clone().into())
}

pub(super) fn refusal(code: &str) -> StoreError {
    let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    match code {
        "WRONGTYPE" => StoreError::WrongType,
        code if is_redirect(code) || code.len() <= 20 && code.bytes().all(is_code) => {
            StoreError::Server {
                code: code.to_owned(),
            }
        }
        _ => StoreError::Server {
            code: "ERR".to_owned(),
        },
    }
}

fn is_redirect(code: &str) -> bool {
    code.starts_with("MOVED ") || code.starts_with("ASK ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Put;

    fn parsed(reply: &[u8]) -> Answer<Value> {
        value(redis::parse_redis_value(reply))
    }

    #[test]
    fn of_an_error_only_the_code_goes_on() {
        let reply = b"-ERR unknown command 'HELLO', with args beginning with: 's3cret'\r\n";
        let code = "ERR".to_owned();
        assert_eq!(parsed(reply), Err(StoreError::Server { code }));
        let code = "OOM".to_owned();
        assert_eq!(
            parsed(b"-OOM command not allowed\r\n"),
            Err(StoreError::Server { code })
        );
        assert_eq!(
            parsed(b"-WRONGTYPE key s3cret\r\n"),
            Err(StoreError::WrongType)
        );
    }

    #[test]
    fn what_does_not_look_like_a_code_is_not_shown() {
        for reply in [&b"-user:42 is bad\r\n"[..], b"-S3cret\r\n", b"-\r\n"] {
            let shown = format!("{:?}", parsed(reply));
            assert!(
                !shown.contains("42") && !shown.contains("S3cret"),
                "{shown}"
            );
        }
    }

    #[test]
    fn answers_that_a_step_cannot_have_are_errors() {
        assert_eq!(bytes(Value::Int(1)), Err(StoreError::Answer));
        assert_eq!(flag(&Value::Nil), Err(StoreError::Answer));
        assert_eq!(integer(None), Err(StoreError::Answer));
        assert_eq!(Put::of(3), Err(StoreError::Answer));
        assert_eq!(time_ms(Value::Nil), None);
    }
}
