//! What the attributes register, at link time, about the functions they stand on.

use std::iter;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use crate::error::Error;
use crate::observe::behind::{WriteBehind, write_behinds};
use crate::observe::instance::Instances;
use crate::policy::Policy;
use crate::wire::template::Template;

/// A function's name and its place in the counters of every cache.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) too_large: Once,
    slot: AtomicUsize,
}

impl Site {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            too_large: Once(AtomicBool::new(false)),
            slot: AtomicUsize::new(0),
        }
    }

    /// 0, the place of calls without an attribute, until the catalogue has been numbered.
    #[inline]
    pub(crate) fn slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed)
    }
}

/// What `#[redis_cached]` knows about its function.
#[derive(Debug)]
pub struct FunctionInfo {
    /// Path of the function.
    pub path: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line of the attribute.
    pub line: u32,
    /// The key template, as written or by default.
    pub template: &'static str,
    /// The templates of its tags.
    pub tags: &'static [&'static str],
    /// Whether it tells the version of its source.
    pub versioned: bool,
    /// Whether the template is the default one.
    pub default_key: bool,
    /// Its parameters that are plain names, with their types as written.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The return type, as written.
    pub value: &'static str,
    /// Whether the function has type or const parameters.
    pub generic: bool,
    /// Whether the attribute names its cache.
    pub bound: bool,
    /// What the attribute says of the life of entries.
    pub policy: Policy,
    /// The codec, as written.
    pub codec: Option<&'static str>,
    /// How the compiler names its static.
    pub definition: fn() -> &'static str,
}

/// Whether something was told already: warnings come once for each function, counters each time.
#[derive(Debug)]
pub(crate) struct Once(AtomicBool);

impl Once {
    /// Whether this is the first time that it is asked.
    pub(crate) fn first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// One function under `#[redis_cached]`.
#[derive(Debug)]
pub struct Function {
    pub(crate) info: FunctionInfo,
    pub(crate) site: Site,
    /// Whether its values are kept as MessagePack, because its own codec cannot read them back.
    pub(crate) fell_back: AtomicBool,
    /// Whether it was told already that no layer gives it a TTL.
    pub(crate) without_policy: Once,
    /// Whether it was told already that some of its values cannot be kept.
    pub(crate) unstorable: Once,
    /// Whether it was told already that it is called inside of its own load.
    pub(crate) nested: Once,
    /// Whether it was told already that values are written by others that it would not find.
    pub(crate) unlabelled: Once,
    /// Whether it was told already that its codec cannot tell additive changes.
    pub(crate) exact: Once,
    /// Whether it was told already that its loads take longer than their results are kept.
    pub(crate) outlasted: Once,
    /// Whether another function, or this one in another type, has the same key by no wish of its author;
    /// it then runs uncached.
    pub(crate) conflicting: AtomicBool,
    pub(crate) instances: Instances,
    /// How the compiler names what it keeps, once it has kept something.
    pub(crate) value: OnceLock<&'static str>,
    /// See [`plain_local`](Self::plain_local).
    plain_local: OnceLock<Option<Duration>>,
}

impl Function {
    /// Made in a static by the attribute.
    #[must_use]
    pub const fn new(info: FunctionInfo) -> Self {
        let site = Site::new(info.path);
        Self {
            info,
            site,
            fell_back: AtomicBool::new(false),
            without_policy: Once(AtomicBool::new(false)),
            unstorable: Once(AtomicBool::new(false)),
            nested: Once(AtomicBool::new(false)),
            unlabelled: Once(AtomicBool::new(false)),
            exact: Once(AtomicBool::new(false)),
            outlasted: Once(AtomicBool::new(false)),
            conflicting: AtomicBool::new(false),
            instances: Instances::new(),
            value: OnceLock::new(),
            plain_local: OnceLock::new(),
        }
    }

    /// For how long its entries are kept in process memory, if its policy says so and leaves it at that: hits ask
    /// nothing else of it then.
    #[inline]
    pub(crate) fn plain_local(&self) -> Option<Duration> {
        let FunctionInfo {
            policy, versioned, ..
        } = &self.info;
        *self
            .plain_local
            .get_or_init(|| policy.local.filter(|_| policy.is_plain() && !versioned))
    }

    /// Learns what it keeps, where that is always one type. One with an origin is in a type that may be
    /// one of several.
    pub(crate) fn keeps(&self, type_name: fn() -> &'static str, origin: Option<u64>) {
        if !self.info.generic && origin.is_none() {
            self.value.get_or_init(type_name);
        }
    }
}

/// When an invalidation is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// However the function ends.
    Always,
    /// Unless it returns an error.
    Ok,
    /// Before it runs.
    Before,
}

/// What becomes of a guarded write that cannot be guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It goes on in one phase.
    Prefer,
    /// It is refused.
    Require,
}

/// What `#[invalidates]` knows about its function.
#[derive(Debug)]
pub struct WriterInfo {
    /// Path of the function.
    pub path: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line of the attribute.
    pub line: u32,
    /// The key templates it invalidates.
    pub targets: &'static [&'static str],
    /// The templates of the tags it invalidates.
    pub tags: &'static [&'static str],
    /// When.
    pub when: When,
    /// Whether the attribute names its cache.
    pub bound: bool,
    /// Whether it writes in two phases.
    pub guard: Option<Guard>,
    /// For how long nobody may fill afterwards.
    pub replica_lag: Option<Duration>,
    /// Whether others are to hear of it.
    pub publish: bool,
}

impl WriterInfo {
    /// Whether it leaves tombstones, which every invalidation of the namespace has to spare.
    pub(crate) fn needs_guarded(&self) -> bool {
        self.guard.is_some() || self.replica_lag.is_some()
    }
}

/// One function under `#[invalidates]`, or under `#[write_through]`.
#[derive(Debug)]
pub struct Writer {
    pub(crate) info: WriterInfo,
    pub(crate) site: Site,
    /// Whether it stores what it has written.
    pub(crate) through: bool,
    /// Whether it waits until no process serves what was there before.
    pub(crate) settled: bool,
    /// Whether its calls wait in a queue.
    pub(crate) behind: bool,
}

impl Writer {
    /// Made in a static by the attribute.
    #[must_use]
    pub const fn new(info: WriterInfo) -> Self {
        let (site, through) = (Site::new(info.path), false);
        Self {
            info,
            site,
            through,
            settled: false,
            behind: false,
        }
    }

    /// One that has a key of its own, as a cached function.
    const fn of(info: &FunctionInfo, targets: &'static [&'static str]) -> Self {
        Self::new(WriterInfo {
            path: info.path,
            file: info.file,
            line: info.line,
            targets,
            tags: &[],
            when: When::Always,
            bound: info.bound,
            guard: None,
            replica_lag: None,
            publish: false,
        })
    }

    /// The same, whose calls wait in a queue.
    pub(crate) const fn behind(info: &FunctionInfo, targets: &'static [&'static str]) -> Self {
        let mut writer = Self::of(info, targets);
        writer.behind = true;
        writer
    }

    /// The same, which waits until no process serves what was there before.
    #[must_use]
    pub const fn settled(self) -> Self {
        Self {
            settled: true,
            ..self
        }
    }
}

/// One function under `#[write_through]`: a writer that makes entries as a cached function does.
#[derive(Debug)]
pub struct WriteThrough {
    pub(crate) function: Function,
    pub(crate) writer: Writer,
}

impl WriteThrough {
    /// Made in a static by the attribute.
    #[must_use]
    pub const fn new(info: FunctionInfo, targets: &'static [&'static str]) -> Self {
        let mut writer = Writer::of(&info, targets);
        writer.through = true;
        let function = Function::new(info);
        Self { function, writer }
    }

    /// See [`Writer::settled`].
    #[must_use]
    pub const fn settled(mut self) -> Self {
        self.writer.settled = true;
        self
    }
}

/// What the attributes register.
#[derive(Debug)]
pub enum Registered {
    /// A reader.
    Cached(&'static Function),
    /// A writer.
    Writer(&'static Writer),
    /// A writer whose value is stored.
    Through(&'static WriteThrough),
    /// A writer whose calls wait in a queue.
    Behind(&'static WriteBehind),
}

inventory::collect!(Registered);

const BY_HAND: FunctionInfo = FunctionInfo {
    path: "(direct)",
    file: "",
    line: 0,
    template: "",
    tags: &[],
    versioned: false,
    default_key: false,
    parameters: &[],
    value: "",
    generic: true,
    bound: true,
    policy: Policy::new(),
    codec: None,
    definition: || "",
};

/// The calls that no attribute made.
pub(crate) static DIRECT: Function = Function::new(BY_HAND);

/// The writes that no attribute made.
pub(crate) static DIRECT_THROUGH: WriteThrough = WriteThrough::new(BY_HAND, &[]);

/// The functions and the writers of the program, in the order of files and lines.
pub(crate) fn registered() -> (&'static [&'static Function], &'static [&'static Writer]) {
    let (functions, writers) = &*REGISTERED;
    (functions, writers)
}

static REGISTERED: LazyLock<(Vec<&'static Function>, Vec<&'static Writer>)> = LazyLock::new(|| {
    let (mut functions, mut writers) = (Vec::new(), Vec::new());
    for registered in inventory::iter::<Registered> {
        match registered {
            Registered::Cached(function) => functions.push(*function),
            Registered::Writer(writer) => writers.push(*writer),
            Registered::Through(through) => writers.push(&through.writer),
            Registered::Behind(behind) => writers.push(&behind.writer),
        }
    }
    functions.sort_by_key(|function| (function.info.file, function.info.line));
    writers.sort_by_key(|writer| (writer.info.file, writer.info.line));
    (functions, writers)
});

/// The cached function of this name, which may begin with its module.
pub(crate) fn function(name: &str) -> Result<&'static Function, Error> {
    let named = |function: &&Function| {
        let rest = function.info.path.strip_suffix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    };
    let mut found: Vec<_> = registered().0.iter().copied().filter(named).collect();
    // A whole path is also the end of others.
    if found.iter().any(|function| function.info.path == name) {
        found.retain(|function| function.info.path == name);
    }
    match found.as_slice() {
        [function] => Ok(function),
        [] => Err(Error::UnknownFunction {
            function: name.to_owned(),
        }),
        candidates => Err(Error::AmbiguousFunction {
            function: name.to_owned(),
            candidates: candidates.iter().map(|it| it.info.path.into()).collect(),
        }),
    }
}

/// All sites, in the order of their slots.
pub(crate) fn sites() -> &'static [&'static Site] {
    &SITES
}

static SITES: LazyLock<Vec<&'static Site>> = LazyLock::new(|| {
    let (functions, writers) = registered();
    let functions = functions.iter().map(|function| &function.site);
    let writers = writers.iter().map(|writer| &writer.site);
    let sites: Vec<_> = iter::once(&DIRECT.site)
        .chain(functions)
        .chain(writers)
        .collect();
    for (slot, site) in sites.iter().enumerate() {
        site.slot.store(slot, Ordering::Relaxed);
    }
    let throughs = write_throughs().map(|it| (&it.function, &it.writer));
    let behinds = write_behinds().map(|it| (&it.function, &it.writer));
    for (function, writer) in throughs.chain(behinds) {
        let slot = writer.site.slot();
        function.site.slot.store(slot, Ordering::Relaxed);
    }
    sites
});

/// The functions under `#[redis_cached]`, in no order.
pub(crate) fn readers() -> impl Iterator<Item = &'static Function> {
    inventory::iter::<Registered>
        .into_iter()
        .filter_map(|registered| match registered {
            Registered::Cached(function) => Some(*function),
            _ => None,
        })
}

/// The writers whose values are stored.
pub(crate) fn write_throughs() -> impl Iterator<Item = &'static WriteThrough> {
    inventory::iter::<Registered>
        .into_iter()
        .filter_map(|registered| match registered {
            Registered::Through(through) => Some(*through),
            _ => None,
        })
}

/// Two methods of one name in one module get the same default key, and an attribute cannot see
/// that it sits in an `impl`, or in another function. Neither may serve the other's values. How their
/// parameters are called does not matter: a key holds values alone.
pub(crate) fn refuse_shared_default_keys() {
    for (a, b) in &*SHARED {
        b.conflicting.store(true, Ordering::Relaxed);
        if !a.conflicting.swap(true, Ordering::Relaxed) {
            crate::util::warning::error!(
                function = a.info.path,
                "two functions have the same default key and run uncached: give each a `key`"
            );
        }
    }
}

/// Those that have the same default key, each with another one.
static SHARED: LazyLock<Vec<(&'static Function, &'static Function)>> = LazyLock::new(|| {
    let functions = registered().0.iter().copied();
    let functions: Vec<_> = functions.filter(|it| it.info.default_key).collect();
    let shared = pairs(&functions).filter(|(a, b)| share_default_key(a, b));
    shared.map(|(a, b)| (*a, *b)).collect()
});

pub(crate) fn share_default_key(a: &Function, b: &Function) -> bool {
    let keys = |function: &Function| Template::new(function.info.template).without_formats();
    a.info.default_key && b.info.default_key && keys(a).meets(&keys(b))
}

/// Each item with each that follows.
pub(crate) fn pairs<T>(items: &[T]) -> impl Iterator<Item = (&T, &T)> {
    let items_after = |(i, a)| items[i + 1..].iter().map(move |b| (a, b));
    items.iter().enumerate().flat_map(items_after)
}
