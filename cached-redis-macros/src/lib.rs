//! The attributes of [`cached-redis`](https://docs.rs/cached-redis).
//!
//! Depend on `cached-redis`, which re-exports them: what the attributes expand to names items of
//! that crate.

mod check;
mod expand;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Keeps the result of an async function in Redis.
///
/// A call first looks the key up; on a miss the function runs and its value is stored. Callers
/// that ask meanwhile, in this process or another, wait for that one load. If Redis is away, the
/// function simply runs.
///
/// ```text
/// #[redis_cached(ttl = 300, jitter = "-5%", key = "user:<id>")]
/// async fn get_user(id: u64) -> Result<User, DbError> { … }
/// ```
///
/// Of a `Result` only `Ok` is kept; an `Err` passes through as it is. The value implements
/// `Serialize` and `DeserializeOwned`, or is an `Arc` or `Rc` of such a value.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `key = "…"` | the [key template](#keys) | module, name and all parameters |
/// | `ttl = …` | [how long](#durations) an entry is fresh | required, unless `policy` is given |
/// | `ttl_with = …` | path of a `fn(&T) -> Duration` that tells the TTL of each value, in the place of `ttl`; zero: not stored | none |
/// | `jitter = 0.05` | uniform share of the TTL that is added **or** taken, 0 ≤ j < 1, so that entries of one moment do not expire in one moment: 300 s become 285 s to 315 s. `"-5%"` only takes: 285 s to 300 s | the builder's, 0.05 |
/// | `negative_ttl = …` | life of a kept `None` (`Option`, `Result<Option<_>, _>`); `0` keeps none | the TTL, 30 s at most |
/// | `stale_while_revalidate = …` | past the TTL, serve the old value for so long while one caller loads anew behind it ([details](#stale-values-and-early-refreshes)) | none |
/// | `stale_if_error = …` | past the TTL, serve the old value for so long if the load fails | none |
/// | `refresh_ahead = 0.8` | share of the TTL after which one caller loads anew behind the others | off |
/// | `early_expiry = 1.0` | XFetch's β: refresh ahead of the TTL at random, the earlier the longer the load takes | off |
/// | `soft_timeout = …` | inside the window of `stale_if_error`: wait so long for the load, then return the old value and let the load go on | off |
/// | `timeout = …` | give a call up after so long, with an error that the function's error type makes of `cached_redis::error::Timeout` by `From` | off |
/// | `audit = 0.001` | share of hits that are checked against the source in the background; the result is in `FunctionStats::fresh_ratio` | 0 |
/// | `compress = "4 KiB"` | above [how many bytes](#sizes) of encoded value an entry is stored as Zstandard; needs the feature `zstd` of `cached-redis` | the builder's: not at all |
/// | `local = "10s"` | how long this process keeps a value that it has read, decoded, and answers from memory: see `cached_redis::docs::two_levels` | not at all |
/// | `checked` | keeps the decoded value, too, and asks Redis at each read whether it still stands: nothing is served late, and nothing but a header is sent. For what is `Clone` or an `Arc` | not at all |
/// | `version = …` | path of an async function of the same arguments that tells the source's current version (anything with `Display`, or a `Result` of it): an entry of another version is a miss | none |
/// | `tags = ["…"]` | [tags](#tags): labels of the entry, each of which drops all its entries at once; one alone needs no brackets | none |
/// | `batch(id in ids)` | the function of [many ids](#batches): `<id>` in the key is one element of the parameter `ids` | one id |
/// | `skip(a, b)` | parameters that are not part of the key | none |
/// | `codec = …` | `bincode`, `msgpack`, `json`, or the path of a value of your own codec | the builder's |
/// | `schema = "additive"` | an entry that was written by another shape of the type is read where it decodes: for types that only gain fields; see `cached_redis::Schema` for what it lets through. Not with `bincode` | `"exact"`: such an entry is a miss |
/// | `condition = …` | an expression over the parameters; where it is `false` the cache is not asked and nothing is stored | always |
/// | `unless = …` | an expression over `result`, a reference to the `Ok` value; where it is `true` the value is not stored | never |
/// | `nested = false` | cached functions that this one calls have no say in its entry: by default, a value past its TTL that one of them was served keeps this result from being stored | `true` |
/// | `cache = …` | the instance: an expression that borrows as `&Cache`, such as `self.cache` or a static | the scope's, else the installed one |
/// | `policy = "…"` | a policy of that name from the builder; options beside it override it | none |
/// | `crate = …` | path of the `cached-redis` crate, where it is renamed or re-exported | `::cached_redis` |
///
/// # Keys
///
/// Text stands for itself; placeholders stand in angle brackets, so that `{…}` stays free for the
/// hash tags of Redis Cluster: `"cart:{<user>}:items"`.
///
/// | placeholder | renders |
/// |---|---|
/// | `<name>` | a parameter by `Display`; an `Option` of one with `None` and `Some("")` apart |
/// | `<name.field>`, `<name.0>`, `<self.field>` | a path into it |
/// | `<name:?>` | by `Debug`; refused for floats |
/// | `<name:hash>` | anything that implements `Serialize`, by a stable 128-bit hash |
/// | `<T>` | a type parameter of the function or of its `impl`, by its `KeyName` |
/// | `<Self>` | the type that a method is in, by its `KeyName` |
/// | `<N>` | the function's own const parameter |
///
/// Different values give different keys: what a value contributes is escaped, and two
/// placeholders need a character between them that is always escaped in values (`:` best).
/// Functions that share a template share the entry, on purpose.
///
/// Every parameter is in the key or in `skip(…)`, else the function does not compile: one that
/// changes the result but not the key would show one caller's data to another. Each name of a
/// pattern counts, `_` and lifetimes do not, and `self` is skipped unless the key names it.
///
/// Without `key`, the key is the module's path, the function's name and all parameters that are
/// not skipped. A method needs a `key`: the type it belongs to cannot be seen from an attribute. In a
/// generic `impl`, and in a default method of a trait, name the type in the key. A function that is
/// called in two types under one key runs uncached, and an error event says so.
///
/// # Tags
///
/// A tag is a template as a key is, over the same parameters, those in `skip(…)` included:
/// `tags = ["team:<team>", "users"]`. `#[invalidates(tag = "team:<team>")]` and
/// `cache.invalidate_tag("team:7")` drop every entry that carries it, however many there are, by one
/// command. A hit of a tagged function reads its tags along with its entry.
///
/// # Durations
///
/// Seconds (`300`, `0.25`), a string (`"250ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"2d"`), or a const
/// expression: a `Duration`, or a number of seconds. That is checked when the crate is compiled. A TTL of
/// less than a millisecond, or beyond 64 bits of them, is a compile error.
///
/// # Sizes
///
/// Bytes (`4096`), a string (`"512 B"`, `"4 KiB"`, `"1 MiB"`; a KiB is 1,024 bytes), or a const expression of
/// type `u64`.
///
/// # Stale values and early refreshes
///
/// Entries are kept for their TTL and the longer of the two stale windows, each of which is counted
/// from the TTL. An entry that was invalidated is gone, so it is never served again, and a load
/// behind an entry replaces it only while that very entry stands.
///
/// With `stale_while_revalidate`, `refresh_ahead`, `early_expiry`, `soft_timeout` or `audit`, loads may go on in
/// a task of their own. What the function borrows is then copied by `Clone` before a load, so
/// `&str` and `&Pool` work and `&mut T` does not; what is passed by value is moved. All of it is
/// `Send` and `'static`. Where these options come from a `policy`, nothing is copied: one caller waits
/// for the load, and the others are served the old value. Not under `#[async_trait]`, which has bound
/// the arguments before this attribute sees them.
///
/// # Batches
///
/// ```text
/// #[redis_cached(batch(id in ids), ttl = 300, key = "user:<id>")]
/// async fn get_users(ids: &[u64]) -> Result<HashMap<u64, User>, DbError> { … }
/// ```
///
/// The parameter is a slice or a `Vec` of ids that are `Clone`; the function returns a `HashMap` or a
/// `BTreeMap` from them to values, or a `Result` of one. Each value is an entry of its own, the same
/// that a function of one id has under this key. The body gets the ids that are missing, never none,
/// and what it does not return is kept as absent.
///
/// When a load of somebody else that was waited for came to nothing, the body runs once more, with the
/// ids of that load. So what it gets by value is copied for each run, by `Clone`, and `&mut T` and
/// `self` by value do not work. `unless` and `ttl_with` see one value at a time. Ids with the same key
/// are one id. A `key` is required, and it and the `tags` are those of one id; `version` is asked for each,
/// with the id in the place of the ids. What one look finds due for a refresh in the
/// background, or for an audit, is loaded by one load. `stale_if_error` answers with old values if there is one for
/// each id that was to be loaded.
///
/// # Where it can stand
///
/// On every async function and method that has a body and returns an owned type: with generics
/// and `where`, pattern and `impl Trait` arguments, parameters under `#[cfg]` (of at most four conditions), any receiver, in traits and
/// under `#[async_trait]`, above or below `#[instrument]`. Not on a function that returns a reference,
/// `impl Trait` or nothing, and not beside another attribute of this crate: a hit would not run the write.
///
/// # Cancel safety
///
/// Dropping the future drops the load with it, unless that runs in a task of its own; other callers
/// that waited for it go on.
#[proc_macro_attribute]
pub fn redis_cached(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::cached(args.into(), &item.into()).into()
}

/// Removes what the function's write has made old.
///
/// ```text
/// #[invalidates("user:<id>", "team:<team>:members")]
/// async fn move_user(id: u64, team: u64) -> Result<(), DbError> { … }
/// ```
///
/// When the function has returned, the keys are removed, all in one round trip, before its result
/// is handed to the caller. That happens in a task of its own, so a caller that is dropped, such
/// as a handler whose client went away, loses nothing. The function's own result is returned
/// whatever becomes of it.
///
/// The attribute may be repeated, may stand above or below [`macro@write_through`], and on functions that return nothing, references or
/// `impl Trait`.
///
/// # Keys
///
/// The templates of [`macro@redis_cached`], written so that they give the reader's key. They name
/// the parameters they need; the others need no mention. `<result>` and `<result.field>` stand
/// for the `Ok` value (the value itself where it is no `Result`), unless a parameter is called
/// `result`; they need `when = "ok"`.
///
/// A `*` in the text makes a target a pattern: `"user:<id>:*"` removes all keys that match. It stands
/// for any text, a `:` included, and is the only wildcard; a `*` in a value is none. The exact keys
/// still go in one round trip, each pattern takes a scan over the whole store.
///
/// A function may bear several attributes of writers. What they name is removed as one thing.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `tag = "…"` | a [tag](macro@redis_cached#tags): all entries that carry it are dropped, in the same round trip as the keys, and by the same rules; may be repeated, and stand without keys | none |
/// | `when = "always"` | after `Ok`, `Err`, a panic and a dropped caller alike, since a write that failed for its caller may have been committed | this one |
/// | `when = "ok"` | after `Ok`, and wherever it is unknown how the write ended | |
/// | `when = "before"` | before the function runs instead; the weaker one, as a reader may store the old value again meanwhile | |
/// | `guard` | in two phases: the keys are barred before the function runs, so that no old value outlives its commit even if the process dies before it can invalidate; where they cannot be barred, the function runs and invalidates as usual. The same as `guard = "prefer"` | in one phase |
/// | `guard = "require"` | in two phases or not at all: where the keys cannot be barred, the function's body does not run and it returns an error, which its error type makes of `cached_redis::error::Unguarded` by `From` | |
/// | `replica_lag = …` | for so long after the invalidation (a [duration](macro@redis_cached#durations), written as a TTL is) nothing that is loaded under the keys is stored: for sources whose replicas lag | none |
/// | `publish` | once the keys are removed, an event says so to every service that listens: see `cached_redis::docs::events` | nobody is told |
/// | `settled` | the function returns when no process can serve what was there before, also from its memory: see [`settled`](https://docs.rs/cached-redis/latest/cached_redis/docs/writing#settled) | where functions are `local`, others may for a bounded time |
/// | `cache = …` | the instance, as for `redis_cached` | the scope's, else the installed one |
/// | `crate = …` | path of the `cached-redis` crate | `::cached_redis` |
///
/// `guard` and `replica_lag` need `guarded(true)` on the builder, in every process that invalidates
/// in the namespace; `build` fails without. A key with `<result>` cannot be guarded, and a pattern can
/// have neither of the two. With no cache
/// installed, the function simply runs, whatever its `guard`.
///
/// # Cancel safety
///
/// Dropping the future counts as a write that may have been committed: the keys are removed,
/// except those that need `result`.
#[proc_macro_attribute]
pub fn invalidates(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::invalidates(args.into(), &item.into()).into()
}

/// Stores the value that the function has written.
///
/// ```text
/// #[write_through(key = "user:<id>", ttl = 300, tags = [])]
/// async fn rename_user(id: u64, name: &str) -> Result<User, DbError> { … }
/// ```
///
/// The function changes the source and returns the new value, of the very type that the
/// [`macro@redis_cached`] functions of this key keep. When it has returned, that value is stored, and
/// their next call is a hit. If anybody else has written meanwhile, in whatever way, the key is
/// invalidated instead; so it is after an `Err`, a panic and a dropped caller, since the write may have
/// been committed.
///
/// While the function runs, the key is barred: readers load for themselves and store nothing. If the
/// store is away, the function runs all the same, and the invalidation of the key is kept and replayed.
///
/// The function begins its transaction itself and commits it before it returns: in one that is older,
/// it may not see what others have committed. Inside the scope of an `after_commit` nothing is stored,
/// and the key is invalidated at the commit.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `key = "…"` | the [key template](macro@redis_cached#keys), written so that it gives the readers' key. It names the parameters it needs; the others need no mention. `<result>` is refused, because it is needed before | required |
/// | `ttl = …`, `ttl_with = …`, `jitter = …`, `negative_ttl = …`, `stale_while_revalidate = …`, `stale_if_error = …`, `policy = "…"` | how long the entry lives, as for [`macro@redis_cached`] | `ttl` or `policy` is required |
/// | `tags = ["…"]` | the [tags](macro@redis_cached#tags) that readers of this key carry, those that they find while they load or inherit from what they call included; `tags = []` if they carry none. `<result>` is refused in them too | required |
/// | `codec = …` | that of the readers | the builder's |
/// | `unless = …` | an expression over `result`, a reference to the `Ok` value; where it is `true` the value is not stored, and the key invalidated | never |
/// | `settled` | as for [`macro@invalidates`] | |
/// | `cache = …` | the instance, as for `redis_cached` | the scope's, else the installed one |
/// | `crate = …` | path of the `cached-redis` crate | `::cached_redis` |
///
/// Other keys that the write makes old stand in an [`macro@invalidates`] beside it.
///
/// # Cancel safety
///
/// Dropping the future counts as a write that may have been committed: the key is invalidated.
#[proc_macro_attribute]
pub fn write_through(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::write_through(args.into(), &item.into()).into()
}

/// Accepts the call into a queue, and returns; a worker runs the function later.
///
/// From then on every read of `key` returns the argument `value`, in every process, until it was applied. Calls are
/// applied in their order for each key, and each at least once: it is tried again until the function returns `Ok`, or
/// becomes a dead letter that an operator has to look at. It needs
/// [`write_behind(true)`](https://docs.rs/cached-redis/latest/cached_redis/struct.Builder.html#method.write_behind) on
/// the builder, and a worker, in this process or another one.
///
/// ```text
/// #[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
/// async fn save_stock(db: &Db, id: u64, stock: Stock) -> Result<(), DbError> { … }
/// ```
///
/// The [page](https://docs.rs/cached-redis/latest/cached_redis/docs/write_behind) has the promise, what it assumes, and how
/// to deploy it.
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `queue = "stock"` | the name of the queue. Functions may share one; each has 16 partitions, by key |
/// | `key = "{stock}:<id>"` | the key of the functions that read it. It begins with the queue in braces: on a cluster, entry and queue are then on one server |
/// | `value = stock` | the parameter that readers get until the write was applied. What they load afterwards is the source's |
/// | `max_queue = 16000` | how many writes may wait, a sixteenth of them in each partition; beyond, calls return `Busy` |
/// | `max_lag = "30s"` | how old the oldest write of the same partition may be; beyond, calls return `Busy`. Without it, any |
/// | `coalesce` | of the writes of a key that wait only the last one is run: for arguments that are the whole new state, never for changes of it |
/// | `cache = CACHE` | another cache than the installed one |
/// | `crate = path` | where `cached_redis` is, if it goes by another name |
///
/// # The function
///
/// It is a free function of types that have a name, and returns `Result<(), E>`, where `E` is made of
/// [`Busy`](https://docs.rs/cached-redis/latest/cached_redis/error/enum.Busy.html) by `From`. What it takes by value is
/// stored, and so a serde type; what it takes as `&T` the worker
/// [provides](https://docs.rs/cached-redis/latest/cached_redis/behind/struct.WorkerSetup.html#method.provide).
/// Without a cache it is run as it is.
#[proc_macro_attribute]
pub fn write_behind(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::write_behind(args.into(), &item.into()).into()
}

/// The same over `proc_macro2`, which unit tests can call.
mod entry {
    use proc_macro2::TokenStream;

    use crate::check::behind::Behind;
    use crate::check::validate::{Cached, Invalidates};
    use crate::expand;
    use crate::parse::args::{BehindArgs, CachedArgs, InvalidatesArgs};
    use crate::parse::cfg;
    use crate::parse::errors::Errors;
    use crate::parse::signature::Function;

    pub(crate) fn cached(args: TokenStream, item: &TokenStream) -> TokenStream {
        expanded(try_cached, args, item)
    }

    pub(crate) fn invalidates(args: TokenStream, item: &TokenStream) -> TokenStream {
        expanded(try_invalidates, args, item)
    }

    pub(crate) fn write_through(args: TokenStream, item: &TokenStream) -> TokenStream {
        expanded(try_write_through, args, item)
    }

    pub(crate) fn write_behind(args: TokenStream, item: &TokenStream) -> TokenStream {
        expanded(try_write_behind, args, item)
    }

    /// Of arguments and item; `None` where something was refused.
    pub(crate) type Attribute = fn(TokenStream, &TokenStream, &mut Errors) -> Option<TokenStream>;

    pub(crate) fn try_cached(
        args: TokenStream,
        item: &TokenStream,
        errors: &mut Errors,
    ) -> Option<TokenStream> {
        let args = CachedArgs::parse(args, errors);
        let function = Function::parse(item.clone(), "redis_cached", errors)?;
        cfg::each(&function, errors, |function, errors| {
            let checked = Cached::new(args.clone(), function, errors)?;
            Some(expand::cached(&checked, function))
        })
    }

    pub(crate) fn try_invalidates(
        args: TokenStream,
        item: &TokenStream,
        errors: &mut Errors,
    ) -> Option<TokenStream> {
        let args = InvalidatesArgs::parse(args, errors);
        let function = Function::parse(item.clone(), "invalidates", errors)?;
        cfg::each(&function, errors, |function, errors| {
            let checked = Invalidates::new(args.clone(), function, errors)?;
            Some(expand::invalidates(&checked, function))
        })
    }

    pub(crate) fn try_write_through(
        args: TokenStream,
        item: &TokenStream,
        errors: &mut Errors,
    ) -> Option<TokenStream> {
        let args = CachedArgs::parse_through(args, errors);
        let function = Function::parse(item.clone(), "write_through", errors)?;
        cfg::each(&function, errors, |function, errors| {
            let checked = Cached::through(args.clone(), function, errors)?;
            Some(expand::write_through(&checked, function))
        })
    }

    pub(crate) fn try_write_behind(
        args: TokenStream,
        item: &TokenStream,
        errors: &mut Errors,
    ) -> Option<TokenStream> {
        let args = BehindArgs::parse(args, errors);
        let function = Function::parse(item.clone(), "write_behind", errors)?;
        cfg::each(&function, errors, |function, errors| {
            let checked = Behind::new(args.clone(), function, errors)?;
            Some(expand::write_behind(&checked, function))
        })
    }

    fn expanded(attribute: Attribute, args: TokenStream, item: &TokenStream) -> TokenStream {
        let mut errors = Errors::default();
        let expanded = attribute(args, item, &mut errors);
        errors.or(expanded, item)
    }
}
