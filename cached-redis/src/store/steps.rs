//! The steps, in one table. Times to live are cut to 1 ms … 100 years.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Outlet, Put};
use crate::wire::entry::Token;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

/// What steps are given and what they answer; all that stores have in common is made of it.
macro_rules! steps {
    ($make:ident) => {
        $make! {
            /// What stands under `key`.
            get(key: &str) -> Option<Bytes>;

            /// Gives each of `tags` that has none the generation beside it, and all of them a life of at least
            /// `ttl`. Their generations then; `None` where something else stands.
            stamp(tags: &[(String, Generation)], ttl: Duration) -> Vec<Option<Generation>>;

            /// Puts `lease` where nothing stands. `None`: it is ours now; else what stands there.
            acquire(key: &str, lease: Bytes, ttl: Duration) -> Option<Bytes>;

            /// Puts `lease` over a dead entry, provided that `seen` still stands. `true`: it is ours now.
            ///
            /// Envelopes are compared by their tokens, which are never used twice; any other bytes whole.
            acquire_over(key: &str, seen: Bytes, lease: Bytes, ttl: Duration) -> bool;

            /// Puts `lease` over whatever stands there but a tombstone. `false`: a tombstone stands.
            seize(key: &str, lease: Bytes, ttl: Duration) -> bool;

            /// Gives what carries `token` a new time to live. `false`: it no longer stands.
            extend(key: &str, token: Token, ttl: Duration) -> bool;

            /// Replaces what carries `token` by `entry`. `true`: won, or `entry` stands already. One that is
            /// larger than the store's limit is refused before anything is sent; so it is by
            /// [`put`](Self::put). An error that [is a bar's](crate::error::StoreError::is_barred): what carries it still
            /// stands.
            fill(key: &str, token: Token, entry: Bytes, ttl: Duration) -> bool;

            /// Removes what carries `token`. `false`: it no longer stood.
            release(key: &str, token: Token) -> bool;

            /// Removes all of `keys`, whatever they hold, at once.
            invalidate(keys: &[String]) -> ();

            /// Puts a bar there that holds up the fills of keys which begin with one of `prefixes`, gives it
            /// that life anew, or takes it away without one. `false`: it did not stand before. The prefixes
            /// are the same each time, since it stands wherever their keys are.
            bar(id: Token, life: Option<Duration>, prefixes: &[String]) -> bool;

            /// Some of the keys that begin with `prefix`, and the cursor for the next ones: 0 at first, and
            /// again when there are no more. Keys that stand all the time are given, maybe more than once.
            scan(prefix: &str, cursor: u128) -> (Vec<String>, u128);

            /// Adds a writer to the tombstones under `keys`, which replace whatever string stands there. An
            /// error: at least one is missing.
            begin(keys: &[String], token: Token, hold: Duration) -> ();

            /// Gives a writer a later deadline. `false`: under at least one key it is no longer there.
            hold(keys: &[String], token: Token, hold: Duration) -> bool;

            /// Takes a writer out of its tombstones, with a hold-off if one is given; where none stands,
            /// removes what does. `false`: under at least one key the writer was no longer there.
            end(keys: &[String], token: Token, hold_off: Option<Duration>) -> bool;

            /// Ends a writer of one key with the value it wrote: `entry` takes the place of its tombstone, if
            /// it is the only one there, nobody has interfered and no bar holds it up. Else as
            /// [`end`](Self::end).
            put(key: &str, token: Token, entry: Bytes, ttl: Duration) -> Put;

            /// Removes all of `keys` at once but the tombstones that others still need, and leaves a hold-off
            /// if one is given.
            invalidate_guarded(keys: &[String], hold_off: Option<Duration>) -> ();

            /// Grants the lock under `key`, unless somebody else holds it. A repetition is granted the same
            /// number, for as long as from now on.
            lock(key: &str, holder: Token, life: Duration) -> Grant;

            /// Gives a lock a later deadline. `false`: `holder` holds it no longer.
            extend_lock(key: &str, holder: Token, life: Duration) -> bool;

            /// Frees a lock. `false`: `holder` held it no longer.
            unlock(key: &str, holder: Token) -> bool;

            /// Sends `message` to whoever listens at this moment, and appends it to a log if there is one.
            publish(outlet: &Outlet, message: Bytes) -> ();
        }
    };
}
pub(crate) use steps;

macro_rules! declare {
    ($($(#[$doc:meta])* $step:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {
        /// The steps a store offers.
        pub(crate) trait Store: Send + Sync + 'static {
            $($(#[$doc])*
            fn $step(&self, $($name: $type),*)
            -> impl Future<Output = Answer<$answer>> + Send;)+

            /// What stands under each of `keys`, in their order and in one round trip.
            fn get_all(
                &self,
                keys: &[&str],
            ) -> impl Future<Output = Answer<Vec<Option<Bytes>>>> + Send;

            /// The clock of the server of `key` in ms since the Unix epoch, estimated without asking it; for
            /// what is of many keys, that of the empty one.
            fn now_ms(&self, key: &str) -> u64;

            /// The epoch that entries written under `key` now carry; 0 where there are none. It never goes
            /// back on one server, and an answer is never ahead of it: what an answer shows is judged by the
            /// epoch read after it.
            fn epoch(&self, _key: &str) -> u32 {
                0
            }

            /// Whether its keys are shared out among servers by their slots: then no step is on keys of
            /// several slots.
            fn is_shared_out(&self) -> bool {
                false
            }

            /// Whether an entry of `epoch`, shown under `key` by an answer that has come, may be trusted.
            fn is_current(&self, key: &str, epoch: u32) -> bool {
                epoch == self.epoch(key)
            }
        }
    };
}
steps!(declare);
