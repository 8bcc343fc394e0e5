//! Annotated functions in every shape: what compiles without them compiles with them, without a
//! warning, and is cached.
#![forbid(unsafe_code)]
#![deny(warnings, clippy::all, clippy::pedantic)]
#![allow(clippy::large_futures)] // a test that awaits many calls one after the other

use std::fmt::Debug;
use std::future::Future;

use cached_redis::{Cache, CachedExt, Status};

async fn memory() -> Cache {
    Cache::builder()
        .url("memory://")
        .namespace("m")
        .build()
        .await
        .unwrap()
}

/// The first call runs the function, the second does not, and both give the same.
async fn assert_kept<T, F>(call: impl Fn() -> F)
where
    F: Future<Output = T>,
    T: PartialEq + Debug,
{
    let cache = memory().await;
    let (first, second) = cache
        .scope(async { (call().with_info().await, call().with_info().await) })
        .await;
    assert_eq!(first.1.status(), Status::Miss);
    assert_eq!(second.1.status(), Status::Hit);
    assert_eq!(first.0, second.0);
    assert_eq!(cache.stats().total().hits, 1);
}

/// Calls in this order; how many were answered from the cache.
async fn hits(calls: impl Future) -> u64 {
    let cache = memory().await;
    cache.scope(calls).await;
    cache.stats().total().hits
}

/// M1: signatures.
mod m1_signatures {
    use super::{assert_kept, hits};
    use async_trait::async_trait;
    use cached_redis::{invalidates, redis_cached};
    use serde::{Deserialize, Serialize, de::DeserializeOwned};
    use std::fmt::Display;
    use std::future::Future;
    use std::sync::Arc;
    use std::time::Duration;
    use tracing::instrument;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct User {
        id: u64,
        name: String,
    }

    fn user(id: u64) -> User {
        User {
            id,
            name: format!("user {id}"),
        }
    }

    type ApiResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

    /// Doc comments are kept, as are other attributes.
    #[redis_cached(ttl = 300, jitter = 0.05, key = "user:<id>")]
    #[must_use]
    #[allow(clippy::unused_async)]
    async fn free(id: u64) -> User {
        user(id)
    }

    #[redis_cached(ttl = 5, key = "inner:<id>")]
    async fn inner_attributes(id: u64) -> User {
        #![allow(clippy::let_and_return)]
        let user = user(id);
        user
    }

    #[redis_cached(ttl = "5m")]
    async fn default_key(id: u64, name: &str) -> Result<User, String> {
        Ok(User {
            id,
            name: name.to_owned(),
        })
    }

    #[redis_cached(ttl = 5)]
    async fn no_parameters() -> String {
        "everything".to_owned()
    }

    #[redis_cached(ttl = 5, key = "alias:<id>", negative_ttl = 1)]
    async fn alias_with_early_return(id: &str) -> ApiResult<Option<User>> {
        if id.is_empty() {
            return Ok(None);
        }
        let id = id.parse()?;
        Ok(Some(user(id)))
    }

    const TTL: Duration = Duration::from_secs(60);

    #[redis_cached(
        ttl = TTL,
        negative_ttl = Duration::ZERO,
        key = "generic:<T>:<N>:<id>",
        codec = json,
        skip(_all),
    )]
    async fn generic<'a, T, const N: usize>(id: &'a str, _all: &'a [u8]) -> Result<T, String>
    where
        T: DeserializeOwned + Serialize + From<String> + cached_redis::KeyName,
    {
        Ok(T::from(id.repeat(N)))
    }

    #[redis_cached(ttl = 5, key = "impl:<id>")]
    async fn impl_argument(id: impl Display + Send) -> String {
        id.to_string()
    }

    #[redis_cached(ttl = 5, key = "pattern:<a>:<b>:<name>:<count>")]
    async fn patterns(
        (a, b): (u64, u64),
        User { id: _, name }: User,
        mut count: u64,
        _: &str,
    ) -> String {
        count += a + b;
        format!("{name} {count}")
    }

    #[redis_cached(
        ttl = 5,
        key = "paths:<user.id>:<pair.0>:<tags:?>:<user:hash>:<nick>:<type>"
    )]
    async fn paths(
        user: &User,
        pair: (u64, u64),
        tags: Vec<String>,
        nick: Option<&str>,
        r#type: u8,
    ) -> u64 {
        let _ = nick;
        drop(tags);
        user.id + pair.0 + pair.1 + u64::from(r#type)
    }

    #[redis_cached(
        ttl = 5,
        key = "gate:<id>",
        condition = id > 0 && !id.is_multiple_of(10),
        unless = result.as_ref().is_some_and(|user| user.name.contains('3'))
    )]
    async fn gated(id: u64) -> Option<User> {
        Some(user(id)).filter(|user| !user.name.is_empty())
    }

    #[redis_cached(ttl = 5, key = "diverges:<id>")]
    async fn diverges(id: u64) -> u64 {
        panic!("{id}")
    }

    pub(super) struct Repository {
        tenant: u64,
    }

    impl Repository {
        #[redis_cached(ttl = 5, key = "repo:<self.tenant>:<id>")]
        pub(super) async fn by_ref(&self, id: u64) -> Option<u64> {
            Some(self.tenant + id)
        }

        #[redis_cached(ttl = 5, key = "repo:mut:<self.tenant>:<id>")]
        async fn by_mut(&mut self, id: u64) -> u64 {
            self.tenant += 0;
            self.tenant + id
        }

        #[redis_cached(ttl = 5, key = "repo:arc:<self.tenant>:<id>")]
        async fn by_arc(self: Arc<Self>, id: u64) -> u64 {
            self.tenant + id
        }

        #[redis_cached(ttl = 5, key = "repo:new:<tenant>")]
        async fn associated(tenant: u64) -> u64 {
            Self { tenant }.tenant
        }
    }

    struct Generic<T>(T);

    impl<T: Clone + Serialize + DeserializeOwned> Generic<T> {
        #[redis_cached(ttl = 5, key = "generic:impl:<id>")]
        async fn get(&self, id: u64) -> Option<T> {
            Some(self.0.clone()).filter(|_| id > 0)
        }
    }

    pub(super) trait Source {
        fn find(&self, id: u64) -> impl Future<Output = u64> + Send;

        #[redis_cached(ttl = 5, key = "source:default:<id>")]
        #[allow(async_fn_in_trait)]
        async fn default_method(&self, id: u64) -> u64 {
            id
        }
    }

    impl Source for Repository {
        #[redis_cached(ttl = 5, key = "source:<self.tenant>:<id>")]
        async fn find(&self, id: u64) -> u64 {
            self.tenant + id
        }
    }

    #[async_trait]
    pub(super) trait Boxed: Sync {
        async fn find(&self, id: u64) -> Result<u64, String>;
        async fn owned(self: Arc<Self>, pair: (u64, u64), count: u64, _: u8) -> u64;
        async fn by_instrumented(&self, id: &str) -> String;
        async fn instrumented_by(&self, id: &str) -> String;
        async fn write(&self, id: u64);

        #[redis_cached(ttl = 5, key = "boxed:default:<id>")]
        async fn default_method(&self, id: u64) -> u64 {
            id
        }
    }

    #[async_trait]
    impl Boxed for Repository {
        #[redis_cached(ttl = 5, key = "boxed:<self.tenant>:<id>")]
        async fn find(&self, id: u64) -> Result<u64, String> {
            if id == 0 {
                return Err("none".into());
            }
            let id: u64 = id.to_string().parse().map_err(|_| "no number")?;
            Ok(self.tenant + id)
        }

        #[redis_cached(ttl = 5, key = "boxed:arc:<self.tenant>:<a>:<b>:<count>")]
        async fn owned(self: Arc<Self>, (a, b): (u64, u64), mut count: u64, _: u8) -> u64 {
            count += a + b;
            self.tenant + count
        }

        #[redis_cached(ttl = 5, key = "boxed:above:<id>")]
        #[instrument(skip(self))]
        async fn by_instrumented(&self, id: &str) -> String {
            format!("{}{id}", self.tenant)
        }

        #[instrument(skip(self))]
        #[redis_cached(ttl = 5, key = "boxed:below:<id>")]
        async fn instrumented_by(&self, id: &str) -> String {
            format!("{}{id}", self.tenant)
        }

        #[invalidates("boxed:<self.tenant>:<id>")]
        async fn write(&self, id: u64) {
            let _ = (self.tenant, id);
        }
    }

    #[redis_cached(ttl = 5, key = "above:<id>")]
    #[instrument]
    async fn above_instrument(id: u64) -> Result<u64, String> {
        let id: u64 = id.to_string().parse().map_err(|_| "no number")?;
        Ok(id)
    }

    #[instrument(ret, err)]
    #[redis_cached(ttl = 5, key = "below:<id>")]
    async fn below_instrument(id: u64) -> Result<u64, String> {
        let id: u64 = id.to_string().parse().map_err(|_| "no number")?;
        Ok(id)
    }

    macro_rules! lookup {
        ($name:ident, $ty:ty, $ttl:expr, $key:literal) => {
            #[redis_cached(ttl = $ttl, key = $key, unless = result.is_empty())]
            async fn $name(id: $ty) -> String {
                id.to_string()
            }
        };
    }
    lookup!(from_macro, u64, 5, "macro:<id>");

    #[tokio::test]
    async fn free_functions_are_kept() {
        assert_kept(|| free(1)).await;
        assert_kept(|| inner_attributes(1)).await;
        assert_kept(|| default_key(1, "a")).await;
        assert_kept(no_parameters).await;
        assert_kept(|| from_macro(1)).await;
        assert_kept(|| impl_argument(1)).await;
        assert_kept(|| impl_argument("one")).await;
        assert_kept(|| generic::<String, 2>("ab", &[])).await;
        assert_kept(|| patterns((1, 2), user(3), 4, "ignored")).await;
        assert_kept(|| paths(&USER, (1, 2), vec!["a".into()], None, 3)).await;
    }

    static USER: User = User {
        id: 1,
        name: String::new(),
    };

    #[tokio::test]
    async fn question_marks_and_early_returns_keep_their_meaning() {
        let cache = super::memory().await;
        let calls = async {
            assert!(alias_with_early_return("x").await.is_err());
            assert_eq!(alias_with_early_return("").await.unwrap(), None);
            assert_eq!(alias_with_early_return("7").await.unwrap(), Some(user(7)));
            assert_eq!(alias_with_early_return("7").await.unwrap(), Some(user(7)));
        };
        cache.scope(calls).await;
        assert_eq!(cache.stats().total().hits, 1);
    }

    #[tokio::test]
    async fn methods_are_kept_per_field_of_self() {
        let one = Repository { tenant: 10 };
        let other = Repository { tenant: 20 };
        assert_kept(|| one.by_ref(1)).await;
        assert_kept(|| Source::find(&one, 1)).await;
        assert_kept(|| Source::default_method(&one, 1)).await;
        assert_kept(|| Repository::associated(1)).await;
        let generic = Generic(vec![1, 2]);
        assert_kept(|| generic.get(1)).await;
        let arc = Arc::new(Repository { tenant: 30 });
        assert_kept(|| arc.clone().by_arc(1)).await;
        let calls = async {
            assert_eq!(one.by_ref(1).await, Some(11));
            assert_eq!(other.by_ref(1).await, Some(21));
            let mut third = Repository { tenant: 40 };
            assert_eq!(third.by_mut(1).await, 41);
            assert_eq!(third.by_mut(1).await, 41);
        };
        assert_eq!(hits(calls).await, 1);
    }

    #[tokio::test]
    async fn boxed_methods_are_kept() {
        let one = Arc::new(Repository { tenant: 10 });
        assert_kept(|| Boxed::find(&*one, 1)).await;
        assert_kept(|| Boxed::default_method(&*one, 1)).await;
        assert_kept(|| one.by_instrumented("a")).await;
        assert_kept(|| one.instrumented_by("a")).await;
        assert_kept(|| one.clone().owned((1, 2), 3, 4)).await;
        let calls = async {
            assert_eq!(Boxed::find(&*one, 1).await, Ok(11));
            one.write(1).await;
            assert_eq!(Boxed::find(&*one, 1).await, Ok(11));
            assert_eq!(one.clone().owned((1, 2), 3, 4).await, 16);
            assert_eq!(one.clone().owned((2, 1), 3, 4).await, 16);
        };
        assert_eq!(hits(calls).await, 0);
    }

    #[tokio::test]
    async fn instrument_stands_above_and_below() {
        assert_kept(|| above_instrument(1)).await;
        assert_kept(|| below_instrument(1)).await;
    }

    #[tokio::test]
    async fn condition_and_unless_look_at_parameters_and_value() {
        let twice = |id| hits(async move { (gated(id).await, gated(id).await) });
        assert_eq!(twice(1).await, 1);
        assert_eq!(twice(0).await, 0, "the condition is false");
        assert_eq!(twice(3).await, 0, "the value is excluded");
    }

    #[tokio::test]
    #[should_panic(expected = "77")]
    async fn a_panic_of_the_body_is_the_callers() {
        super::memory().await.scope(diverges(77)).await;
    }

    #[tokio::test]
    async fn without_a_cache_the_function_runs() {
        assert_eq!(free(1).await, user(1));
        assert_eq!(gated(1).await, Some(user(1)));
    }
}

/// M1: writers.
mod m1_writers {
    use super::hits;
    use cached_redis::{invalidates, redis_cached};
    use serde::{Deserialize, Serialize};
    use std::future::Future;

    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Row {
        id: u64,
    }

    #[redis_cached(ttl = 5, key = "w:row:<id>")]
    async fn row(id: u64) -> Row {
        Row { id }
    }

    #[redis_cached(ttl = 5, key = "w:team:<team>:<id>")]
    async fn member(team: &str, id: u64) -> u64 {
        id + team.len() as u64
    }

    #[invalidates("w:row:<id>")]
    async fn returns_nothing(id: u64) {
        let _ = id;
    }

    #[invalidates("w:row:<id>", "w:team:<team>:<id>", when = "always")]
    async fn two_keys(id: u64, team: &str) -> Result<(), String> {
        let (_, _) = (id, team);
        Err("committed or not".into())
    }

    #[invalidates("w:row:<id>", when = "ok")]
    async fn only_ok(id: u64, fail: bool) -> Result<u64, String> {
        if fail { Err("no".into()) } else { Ok(id) }
    }

    #[invalidates("w:row:<id>", when = "before")]
    async fn before(id: u64) -> u64 {
        row(id).await.id
    }

    #[invalidates("w:row:<result.id>", "w:team:<team>:<result.id>", when = "ok")]
    async fn from_result(team: String, id: u64) -> Result<Row, String> {
        let moved = team;
        drop(moved);
        Ok(Row { id })
    }

    #[invalidates("w:row:<result>", when = "ok")]
    async fn plain_result(id: u64) -> u64 {
        id
    }

    #[invalidates("w:row:<id>")]
    async fn returns_impl_trait(id: u64) -> impl Iterator<Item = u64> {
        std::iter::once(id)
    }

    #[invalidates("w:row:<id>")]
    async fn never_returns(id: u64) -> ! {
        loop {
            let _ = id;
            tokio::task::yield_now().await;
        }
    }

    #[invalidates("w:row:<id>")]
    async fn returns_reference(id: u64, name: &str) -> &str {
        let _ = id;
        name
    }

    #[invalidates("w:row:<id>")]
    #[invalidates("w:team:<team>:<id>", when = "ok")]
    async fn repeated(id: u64, team: String) -> Result<String, String> {
        let _ = id;
        Ok(team)
    }

    async fn reads() {
        row(7).await;
        member("ab", 7).await;
    }

    /// Reads, writes, reads: 0 hits where the write invalidated what was read.
    async fn around(write: impl Future) -> u64 {
        hits(async {
            reads().await;
            write.await;
            reads().await;
        })
        .await
    }

    #[tokio::test]
    async fn every_form_of_writer_invalidates() {
        assert_eq!(around(async {}).await, 2);
        assert_eq!(around(returns_nothing(7)).await, 1);
        assert_eq!(around(returns_nothing(8)).await, 2);
        assert_eq!(around(two_keys(7, "ab")).await, 0);
        assert_eq!(around(plain_result(7)).await, 1);
        assert_eq!(around(from_result("ab".into(), 7)).await, 0);
        assert_eq!(around(returns_reference(7, "x")).await, 1);
        assert_eq!(around(repeated(7, "ab".into())).await, 0);
        assert_eq!(
            around(async { returns_impl_trait(7).await.count() }).await,
            1
        );
    }

    #[tokio::test]
    async fn a_writer_may_never_return() {
        let wait = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(wait, never_returns(7)).await.is_err());
    }

    #[tokio::test]
    async fn when_decides() {
        assert_eq!(around(only_ok(7, false)).await, 1);
        assert_eq!(around(only_ok(7, true)).await, 2);
        assert_eq!(
            around(before(7)).await,
            2,
            "what it stored itself was not removed"
        );
    }
}

/// M2: names that could meet ours.
mod m2_hygiene {
    use super::assert_kept;
    use cached_redis::{invalidates, redis_cached};

    #[redis_cached(ttl = 5, key = "n:<cache>:<key>:<redis>:<result>:<ttl>:<self_>", unless = *result > 100)]
    async fn arguments(cache: u8, key: u8, redis: u8, result: u8, ttl: u8, self_: u8) -> u64 {
        u64::from(cache + key + redis + result + ttl + self_)
    }

    #[redis_cached(
        ttl = 5,
        key = "n:<__k>:<__call>:<__function>:<__shape>:<__errors>:<__never>"
    )]
    async fn our_locals(
        __k: u8,
        __call: u8,
        __function: u8,
        __shape: u8,
        __errors: u8,
        __never: u8,
    ) -> u64 {
        u64::from(__k + __call + __function + __shape + __errors + __never)
    }

    #[invalidates("n:<result>:<cache>:<__write>", "n:<__result>:<__value>", when = "ok")]
    async fn writer(result: u8, cache: u8, __write: u8, __result: u8, __value: u8) -> u64 {
        u64::from(result + cache + __write + __result + __value)
    }

    #[tokio::test]
    async fn arguments_may_have_any_name() {
        assert_kept(|| arguments(1, 2, 3, 4, 5, 6)).await;
        assert_kept(|| our_locals(1, 2, 3, 4, 5, 6)).await;
        assert_eq!(writer(1, 2, 3, 4, 5).await, 15);
    }

    /// Everything a careless expansion would name means something else here.
    #[allow(dead_code, non_camel_case_types, unused_macros)]
    mod shadowed {
        use cached_redis::{invalidates, redis_cached};

        pub(super) mod std {}
        pub(super) mod core {}
        pub(super) mod cached_redis_mod {}
        pub(super) mod inventory {}
        pub(super) mod alloc {}
        pub(super) struct Result;
        pub(super) struct Option;
        pub(super) struct Ok;
        pub(super) struct Err;
        pub(super) struct Some;
        pub(super) struct None;
        pub(super) struct Box;
        pub(super) struct String;
        pub(super) struct Cache;
        pub(super) struct bool;
        pub(super) struct str;
        pub(super) trait Send {}
        pub(super) trait Sync {}
        pub(super) trait Future {}
        pub(super) trait Drop {}
        macro_rules! module_path {
            () => {
                compile_error!("shadowed")
            };
        }
        macro_rules! concat {
            ($($any:tt)*) => {
                compile_error!("shadowed")
            };
        }
        macro_rules! line {
            () => {
                compile_error!("shadowed")
            };
        }
        macro_rules! file {
            () => {
                compile_error!("shadowed")
            };
        }

        type Answer = ::core::result::Result<u64, u8>;

        #[redis_cached(
            ttl = "5m",
            jitter = 0.1,
            negative_ttl = 0,
            codec = bincode,
            condition = true,
            unless = *result > 100
        )]
        pub(super) async fn reader(id: u64, name: ::core::option::Option<u8>) -> Answer {
            let _ = name;
            if id == 0 {
                ::core::result::Result::Err(1)?;
            }
            ::core::result::Result::Ok(id)
        }

        #[redis_cached(ttl = 5, key = "shadowed:<id>")]
        pub(super) async fn optional(id: u64) -> ::core::option::Option<u64> {
            ::core::option::Option::Some(id)
        }

        #[invalidates("shadowed:<id>:<result>", when = "ok")]
        pub(super) async fn writer(id: u64) -> Answer {
            ::core::result::Result::Ok(id)
        }
    }

    #[tokio::test]
    async fn a_module_may_shadow_the_standard_library() {
        assert_kept(|| shadowed::optional(1)).await;
        assert_eq!(shadowed::reader(1, None).await, Ok(1));
        assert_eq!(shadowed::writer(1).await, Ok(1));
    }
}

/// M3: the crate under another path.
mod m3_renamed {
    use super::assert_kept;

    /// As a crate that re-exports ours would do.
    pub(super) mod facade {
        pub(crate) mod deep {
            pub(crate) use cached_redis as cache;
        }
    }

    use facade::deep::cache::{invalidates, redis_cached};

    #[redis_cached(crate = facade::deep::cache, ttl = 5, key = "m3:path:<id>")]
    async fn by_path(id: u64) -> Result<u64, String> {
        Ok(id)
    }

    #[redis_cached(crate = "crate::macros::m3_renamed::facade::deep::cache", ttl = 5)]
    async fn by_string(id: u64) -> u64 {
        id
    }

    #[invalidates("m3:path:<id>", crate = facade::deep::cache)]
    async fn write(id: u64) -> u64 {
        id
    }

    #[tokio::test]
    async fn the_crate_may_be_renamed_or_re_exported() {
        assert_kept(|| by_path(1)).await;
        assert_kept(|| by_string(1)).await;
        assert_eq!(write(1).await, 1);
    }
}

/// M4: futures are `Send` when the body is.
mod m4_send {
    use cached_redis::{Cache, invalidates, redis_cached};
    use std::cell::Cell;
    use std::rc::Rc;

    struct Service {
        cache: Cache,
    }

    impl Service {
        #[redis_cached(ttl = 5, key = "s:<id:?>:<name>:<tags:hash>", cache = self.cache)]
        async fn read(&self, id: u64, name: Option<String>, tags: &[u8]) -> Result<u64, String> {
            let _ = (name, tags);
            tokio::task::yield_now().await;
            Ok(id)
        }

        #[invalidates("s:<id>:<result>", when = "ok", cache = &self.cache)]
        async fn write(&self, id: String) -> Result<String, String> {
            tokio::task::yield_now().await;
            Ok(id)
        }
    }

    #[redis_cached(ttl = 5, key = "cell:<cell:?>", unless = result.is_empty())]
    async fn not_sync(cell: Cell<u8>) -> String {
        tokio::task::yield_now().await;
        cell.get().to_string()
    }

    #[redis_cached(ttl = 5, key = "rc:<id>")]
    async fn body_is_not_send(id: u64) -> u64 {
        let rc = Rc::new(id);
        tokio::task::yield_now().await;
        *rc
    }

    fn assert_send<T: Send>(_: &T) {}

    #[tokio::test]
    async fn futures_are_send_when_the_body_is() {
        let service = Service {
            cache: super::memory().await,
        };
        assert_send(&service.read(1, None, &[]));
        assert_send(&service.write(String::new()));
        assert_send(&not_sync(Cell::new(1)));
        assert_eq!(body_is_not_send(1).await, 1);
    }

    #[tokio::test]
    async fn an_instance_can_be_named() {
        let service = Service {
            cache: super::memory().await,
        };
        assert_eq!(service.read(1, None, &[]).await, Ok(1));
        assert_eq!(service.read(1, None, &[]).await, Ok(1));
        assert_eq!(service.cache.stats().total().hits, 1);
        assert_eq!(service.write("a".into()).await, Ok("a".into()));
    }
}

/// M5: calls that a proxy would miss.
mod m5_calls {
    use super::{assert_kept, hits};
    use cached_redis::redis_cached;

    #[redis_cached(ttl = 5)]
    async fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        Box::pin(fibonacci(n - 1)).await + Box::pin(fibonacci(n - 2)).await
    }

    struct Shop;

    impl Shop {
        #[redis_cached(ttl = 5, key = "m5:price:<id>")]
        async fn price(&self, id: u64) -> u64 {
            id
        }

        async fn total(&self) -> u64 {
            self.price(1).await + self.price(2).await + self.price(1).await
        }
    }

    #[tokio::test]
    async fn recursive_calls_are_kept() {
        let calls = async { assert_eq!(fibonacci(20).await, 6765) };
        assert_eq!(hits(calls).await, 18);
    }

    #[tokio::test]
    async fn calls_from_the_same_type_are_kept() {
        let calls = async { assert_eq!(Shop.total().await, 4) };
        assert_eq!(hits(calls).await, 1);
        assert_kept(|| Shop.price(1)).await;
    }
}
