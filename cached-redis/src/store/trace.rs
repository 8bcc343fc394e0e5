//! What happens to some keys, line by line, for a replay by the model.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::many::{Asked, Filling, Granted};
use super::tracked::Shown;
use super::{Outlet, Put};
use crate::error::StoreError;
use crate::wire::entry::{Header, Token};
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

/// Writes down what some keys go through, for [`Builder::trace`](crate::Builder::trace): each step of a
/// read, and each step of the store when it is called and when it is answered.
///
/// A line is one JSON object. It names these keys and tokens, and no value. When a line is written, what it
/// says has happened already, and what follows from it has not: whoever takes the time in `write` learns
/// when that was. The model of the protocol replays such lines, and says whether all of them could be.
///
/// Cheap to clone; several caches may share one.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use cached_redis::{Cache, testing::Trace};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let lines = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&lines);
/// let trace = Trace::new(
///     |key| key.ends_with("user:7"),
///     move |line| sink.lock().unwrap().push(line.to_owned()),
/// );
/// let cache = Cache::builder().url("memory://").namespace("shop").trace(trace).build().await?;
/// cache.invalidate("user:8").await?;
/// cache.invalidate("user:7").await?;
/// let lines = lines.lock().unwrap();
/// assert_eq!(lines.len(), 2);
/// assert!(lines[0].contains("shop:user:7"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Trace {
    wants: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    write: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Trace {
    /// Hands the lines about keys that `wants` answers with `true`, each with its namespace, to `write`,
    /// in the caller's thread.
    pub fn new(
        wants: impl Fn(&str) -> bool + Send + Sync + 'static,
        write: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            wants: Arc::new(wants),
            write: Arc::new(write),
        }
    }

    pub(crate) fn wants(&self, key: &str) -> bool {
        (self.wants)(key)
    }

    pub(crate) fn write(&self, line: &Value) {
        (self.write)(&line.to_string());
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

/// A number that nothing else in this process has.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What is given to steps and answered by them, as far as the model knows it.
pub(super) trait Traced {
    fn traced(&self, trace: &Trace) -> Value;

    /// Whether it is a key that is wanted, or has one in it.
    fn is_wanted(&self, _: &Trace) -> bool {
        false
    }
}

impl Traced for str {
    fn traced(&self, trace: &Trace) -> Value {
        trace.wants(self).then_some(self).into()
    }

    fn is_wanted(&self, trace: &Trace) -> bool {
        trace.wants(self)
    }
}

impl<T: Traced> Traced for [T] {
    fn traced(&self, trace: &Trace) -> Value {
        self.iter().map(|one| one.traced(trace)).collect()
    }

    fn is_wanted(&self, trace: &Trace) -> bool {
        self.iter().any(|one| one.is_wanted(trace))
    }
}

impl<A: Traced, B: Traced> Traced for (A, B) {
    fn traced(&self, trace: &Trace) -> Value {
        json!([self.0.traced(trace), self.1.traced(trace)])
    }

    fn is_wanted(&self, trace: &Trace) -> bool {
        self.0.is_wanted(trace)
    }
}

impl<T: Traced> Traced for Result<T, StoreError> {
    fn traced(&self, trace: &Trace) -> Value {
        match self {
            Ok(answer) => json!({"Ok": answer.traced(trace)}),
            Err(error) => json!({"Err": error.to_string()}),
        }
    }
}

/// Entries are named by their kind and token, other bytes by themselves.
impl Traced for Bytes {
    fn traced(&self, _: &Trace) -> Value {
        let name = match Header::parse(self) {
            Some((header, _)) => format!("{}{}", header.kind as u8 as char, header.token.name()),
            None => hexadecimal(self),
        };
        name.into()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Token {
    /// Its name in a trace.
    pub(crate) fn name(&self) -> String {
        format!("{:x}", self.number())
    }
}

macro_rules! traced {
    ($($type:ty: $of:ident => $value:expr;)+) => {
        $(impl Traced for $type {
            fn traced(&self, _: &Trace) -> Value {
                let $of = self;
                $value.into()
            }
        })+
    };
}
traced! {
    (): _unit => Value::Null;
    bool: given => *given;
    u64: given => *given;
    u128: given => given.to_string();
    Duration: given => given.as_secs_f64();
    Token: token => token.name();
    Generation: generation => hexadecimal(generation.bytes());
    Put: put => format!("{put:?}");
    // Locks and messages are not replayed.
    Grant: _grant => Value::Null;
    Outlet: _outlet => Value::Null;
}

macro_rules! traced_within {
    ($($type:ty: $of:ident => $within:expr;)+) => {
        $(impl Traced for $type {
            fn traced(&self, trace: &Trace) -> Value {
                let $of = self;
                $within.traced(trace)
            }

            fn is_wanted(&self, trace: &Trace) -> bool {
                let $of = self;
                $within.is_wanted(trace)
            }
        })+
    };
}
traced_within! {
    String: text => **text;
    &str: text => **text;
    Shown: shown => shown.entries;
    Asked: asked => (&*asked.key, asked.over.clone());
    Filling: fill => ((&*fill.key, fill.token), (fill.entry.clone(), fill.ttl));
}

impl<T: Traced> Traced for Vec<T> {
    fn traced(&self, trace: &Trace) -> Value {
        self.as_slice().traced(trace)
    }
}

impl<T: Traced> Traced for Option<T> {
    fn traced(&self, trace: &Trace) -> Value {
        self.as_ref().map_or(Value::Null, |one| one.traced(trace))
    }
}

impl Traced for Granted {
    fn traced(&self, trace: &Trace) -> Value {
        match self {
            Self::Yes => true.into(),
            Self::No(standing) => standing
                .as_ref()
                .map_or(false.into(), |one| one.traced(trace)),
        }
    }
}
