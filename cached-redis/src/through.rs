//! The write-through: a write that ends with its value in the cache.
//!
//! Storing what was written by a plain SET is broken: of two writers, the one that committed first may
//! set last, and its old value stays until its TTL (n5 of the model). So a write-through is a write in
//! two phases (see [`guard`](crate::guard)), and its value takes the place of its tombstone only if that
//! shows that **nobody else has written meanwhile**: the tombstone holds its writer's token and no other,
//! and is not tainted. Whoever else writes leaves a trace there:
//!
//! * another writer in two phases, or write-through: its token; and the taint, when it has ended,
//! * an invalidation: the taint, where invalidations spare tombstones; else it removes the tombstone.
//!
//! Without that proof the write ends as any other, by an invalidation.
//!
//! # It does not need `guarded(true)`
//!
//! A guarded namespace is needed for what must outlive the writer's process: an invalidation of somebody
//! else must not take away the tombstone under which it may die (c6). A write-through needs no more than
//! to *notice* an invalidation, and one that removes the tombstone is noticed as well (p5). What stands
//! there then is not its own, and is removed. Readers heed a tombstone in every namespace. So in one that
//! is not guarded nothing old is ever stored (T1, T2); there a writer that dies between its commit and
//! its end merely may leave what a one-phase writer leaves.
//!
//! # A tombstone that was gone proves nothing
//!
//! A guarded write whose tombstone was evicted, or outlived by a suspended process, puts it back at its
//! next sign of life. The new one knows nothing of those who wrote in between. So a write that has lapsed
//! stores nothing. Neither does one whose server was replaced, or whose key waits in the journal: the
//! answer to a put settles nothing there, because what waits may have been committed after it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::after_commit;
use crate::codec::Choice;
use crate::event::Event;
use crate::handle::{Cache, Inner};
use crate::key::KeyWriter;
use crate::pack::{Loaded, Packer};
use crate::policy::Policy;
use crate::registry::{DIRECT, DIRECT_THROUGH, Function, WriteThrough};
use crate::shape::Shape;
use crate::store::Store as _;
use crate::tag::Basis;
use crate::verdict::Verdict;
use crate::writer::Write;

/// One call of a function under `#[write_through]`.
#[derive(Debug)]
#[must_use]
pub struct Through {
    function: &'static Function,
    write: Write,
}

impl Through {
    /// A write to the cache in scope, or else the installed one.
    pub fn new(through: &'static WriteThrough) -> Self {
        Self {
            function: &through.function,
            write: Write::new(&through.writer),
        }
    }

    /// A write to this cache.
    pub fn on(through: &'static WriteThrough, cache: &Cache) -> Self {
        Self {
            function: &through.function,
            write: Write::on(&through.writer, cache),
        }
    }

    /// Renders the key.
    pub fn key(&mut self, render: impl FnOnce(&mut KeyWriter)) {
        self.write.key(render);
    }

    /// A write under a key that was given by hand.
    pub(crate) fn direct(cache: &Cache, key: String) -> Self {
        let mut write = Write::on(&DIRECT_THROUGH.writer, cache);
        write.full_key(key);
        let function = &DIRECT;
        Self { function, write }
    }

    pub(crate) fn policy(&self) -> &'static Policy {
        &self.function.info.policy
    }

    /// Begins the write, if its value may be stored at its end; the epoch that it would carry. A
    /// transaction that ends later than the function may not see what others have committed.
    async fn begin(&mut self, policy: &Policy) -> u32 {
        let Some(Cache { inner }) = self.write.cache() else {
            return 0;
        };
        let epoch = inner.store.epoch();
        if self.has_ttl(inner, policy) && !after_commit::is_open() {
            self.write.begin().await;
        }
        epoch
    }

    fn has_ttl(&self, inner: &Inner, policy: &Policy) -> bool {
        let lacks = inner.settings.lacks_ttl(policy);
        if lacks {
            let first = self.function.without_policy.first();
            inner.emit(&self.function.site, &Event::NoPolicy(first));
        }
        !lacks
    }
}

/// Runs `write`, and stores what it returns unless it fails, its verdict is against it, or somebody has
/// interfered.
pub(crate) async fn write<S, C, U, F, L>(
    mut through: Through,
    policy: &Policy,
    _shape: S,
    codec: C,
    verdict: U,
    write: F,
) -> S::Return
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    C: Choice,
    U: FnOnce(&S::Ok) -> Verdict,
    F: FnOnce() -> L,
    L: Future<Output = S::Return>,
{
    let basis = Basis::of(through.begin(policy).await);
    let result = S::result(write().await);
    let written = result.as_ref().ok();
    let packed = written.and_then(|ok| {
        let packer = Packer {
            inner: &through.write.begun()?.inner,
            function: through.function,
            policy,
            codec,
            version: None,
        };
        packer.judge::<S>(ok, &Loaded::default(), &basis, verdict(ok))
    });
    through.write.put(packed).await;
    S::returned(result)
}
