//! A key does not forget the type it is in: what one attribute makes of a generic `impl`, or of a default
//! method, is many functions, and none is served what another one has loaded.

use std::io::Read as _;
use std::marker::PhantomData;
use std::process::Stdio;

use async_trait::async_trait;
use cached_redis::{Cache, Error, KeyName, Policy, invalidates, redis_cached, write_through};

use crate::support::{Source, World, again, filled, on_both_stores, on_redis};

on_both_stores!(
    types_of_a_generic_impl_never_share_an_entry,
    implementors_of_a_default_method_never_share_an_entry,
    instances_that_differ_in_what_the_key_leaves_out_never_share_an_entry,
    types_that_a_key_names_are_cached_apart,
    writers_and_tags_name_types_as_readers_do,
    parameters_of_the_function_itself_may_be_given_up,
    functions_share_a_template_on_purpose_whatever_they_are_in,
    entries_of_one_instance_are_read_and_written_by_hand,
);
on_redis!(processes_that_run_one_instance_each_never_share_an_entry,);

/// What the tables of this module hold.
trait Entity {
    const NAME: &'static str;
}

struct User;
struct Order;

impl Entity for User {
    const NAME: &'static str = "user";
}

impl KeyName for User {
    const KEY_NAME: &'static str = "user";
}

impl Entity for Order {
    const NAME: &'static str = "order";
}

impl KeyName for Order {
    const KEY_NAME: &'static str = "order";
}

struct Repo<E>(PhantomData<E>);

impl<E> KeyName for Repo<E> {
    const KEY_NAME: &'static str = "repo";
}

const USERS: Repo<User> = Repo(PhantomData);
const ORDERS: Repo<Order> = Repo(PhantomData);

fn row<E: Entity>(id: u64) -> String {
    format!("{} {id}", E::NAME)
}

/// Keys that say nothing of the type.
impl<E: Entity> Repo<E> {
    #[redis_cached(ttl = 60)]
    async fn by_default(id: u64) -> String {
        row::<E>(id)
    }

    #[redis_cached(ttl = 60, key = "instantiations:<id>")]
    async fn by_key(&self, id: u64) -> String {
        row::<E>(id)
    }

    #[redis_cached(ttl = 60, key = "instantiations:none:<id>")]
    async fn absent(&self, id: u64) -> Option<String> {
        (E::NAME == "user").then(|| row::<E>(id))
    }

    #[redis_cached(
        ttl = 60,
        stale_while_revalidate = 60,
        key = "instantiations:window:<id>"
    )]
    async fn in_a_window(id: u64) -> String {
        row::<E>(id)
    }

    #[redis_cached(batch(id in ids), ttl = 60, key = "instantiations:batch:<id>")]
    async fn batch(&self, ids: &[u64]) -> std::collections::HashMap<u64, String> {
        ids.iter().map(|id| (*id, row::<E>(*id))).collect()
    }

    #[write_through(ttl = 60, key = "instantiations:through:<id>", tags = [])]
    async fn write(&self, id: u64) -> String {
        row::<E>(id)
    }

    #[redis_cached(ttl = 60, key = "instantiations:through:<id>")]
    async fn written(&self, id: u64) -> String {
        row::<E>(id)
    }
}

struct Page<const N: usize>;

impl<const N: usize> Page<N> {
    #[redis_cached(ttl = 60, key = "instantiations:page:<id>")]
    async fn rows(id: u64) -> String {
        format!("{N} of {id}")
    }
}

async fn types_of_a_generic_impl_never_share_an_entry(world: World) {
    let cache = world.cache().await;
    let run = async || {
        assert_eq!(Repo::<User>::by_default(1).await, "user 1");
        assert_eq!(Repo::<Order>::by_default(1).await, "order 1");
        assert_eq!(USERS.by_key(1).await, "user 1");
        assert_eq!(ORDERS.by_key(1).await, "order 1");
        assert_eq!(ORDERS.absent(1).await, None);
        assert_eq!(USERS.absent(1).await.as_deref(), Some("user 1"));
        assert_eq!(Repo::<User>::in_a_window(1).await, "user 1");
        assert_eq!(Repo::<Order>::in_a_window(1).await, "order 1");
        assert_eq!(USERS.batch(&[1, 2]).await[&2], "user 2");
        assert_eq!(ORDERS.batch(&[1, 2]).await[&2], "order 2");
        assert_eq!(USERS.write(1).await, "user 1");
        assert_eq!(USERS.written(1).await, "user 1");
        assert_eq!(ORDERS.write(1).await, "order 1");
        assert_eq!(USERS.written(1).await, "user 1");
        assert_eq!(ORDERS.written(1).await, "order 1");
        assert_eq!(Page::<10>::rows(1).await, "10 of 1");
        assert_eq!(Page::<20>::rows(1).await, "20 of 1");
    };
    cache.scope(run()).await;
    cache.scope(run()).await;
}

trait Price {
    const SIGN: &'static str;

    #[redis_cached(ttl = 60, key = "instantiations:price:<n>")]
    async fn price(&self, n: u64) -> String {
        format!("{n} {}", Self::SIGN)
    }

    #[redis_cached(ttl = 60)]
    async fn of(n: u64) -> String {
        format!("{n} {}", Self::SIGN)
    }
}

struct Eur;
struct Usd;

impl Price for Eur {
    const SIGN: &'static str = "€";
}

impl Price for Usd {
    const SIGN: &'static str = "$";
}

#[async_trait]
trait Boxed {
    fn sign(&self) -> &'static str;

    #[redis_cached(ttl = 60, key = "instantiations:boxed:<n>")]
    async fn boxed(&self, n: u64) -> String {
        format!("{n} {}", self.sign())
    }
}

#[async_trait]
impl Boxed for Eur {
    fn sign(&self) -> &'static str {
        "€"
    }
}

#[async_trait]
impl Boxed for Usd {
    fn sign(&self) -> &'static str {
        "$"
    }
}

async fn implementors_of_a_default_method_never_share_an_entry(world: World) {
    let cache = world.cache().await;
    for _ in 0..2 {
        assert_eq!(cache.scope(Eur.price(5)).await, "5 €");
        assert_eq!(cache.scope(Usd.price(5)).await, "5 $");
        assert_eq!(cache.scope(Eur::of(5)).await, "5 €");
        assert_eq!(cache.scope(Usd::of(5)).await, "5 $");
        let dynamic: [&(dyn Boxed + Sync); 2] = [&Eur, &Usd];
        assert_eq!(cache.scope(dynamic[0].boxed(5)).await, "5 €");
        assert_eq!(cache.scope(dynamic[1].boxed(5)).await, "5 $");
    }
}

struct Join<L, R>(PhantomData<(L, R)>);

impl<L: Entity + KeyName, R: Entity> Join<L, R> {
    #[redis_cached(ttl = 60, key = "instantiations:join:<L>:<id>")]
    async fn join(id: u64) -> String {
        format!("{} and {} {id}", L::NAME, R::NAME)
    }
}

async fn instances_that_differ_in_what_the_key_leaves_out_never_share_an_entry(world: World) {
    let cache = world.cache().await;
    for _ in 0..2 {
        let one = Join::<User, User>::join(1);
        assert_eq!(cache.scope(one).await, "user and user 1");
        let other = Join::<User, Order>::join(1);
        assert_eq!(cache.scope(other).await, "user and order 1");
    }
}

/// Keys that say what they need of the type.
impl<E: Entity + KeyName> Repo<E> {
    #[redis_cached(
        ttl = 60,
        key = "instantiations:named:<E>:<id>",
        tags = ["instantiations:<E>"],
        skip(source)
    )]
    async fn named(&self, source: &Source, id: u64) -> String {
        format!("{} {}", row::<E>(id), source.load().await)
    }

    #[invalidates("instantiations:named:<E>:<id>")]
    async fn forget(&self, id: u64) {
        let _ = id;
    }

    #[invalidates(tag = "instantiations:<E>")]
    async fn forget_all() {}

    #[invalidates("instantiations:named:<E>:<result>", when = "ok")]
    async fn forget_the_result(&self) -> u64 {
        1
    }

    #[write_through(ttl = 60, key = "instantiations:named-through:<E>:<id>", tags = [])]
    async fn write_named(&self, source: &Source, id: u64) -> u64 {
        let _ = id;
        source.write()
    }

    #[redis_cached(ttl = 60, key = "instantiations:named-through:<E>:<id>", skip(source))]
    async fn written_named(&self, source: &Source, id: u64) -> u64 {
        let _ = id;
        source.load().await
    }
}

trait Named: KeyName {
    #[redis_cached(ttl = 60, key = "instantiations:self:<Self>", skip(source))]
    async fn name(&self, source: &Source) -> String {
        format!("{} {}", Self::KEY_NAME, source.load().await)
    }
}

impl Named for User {}
impl Named for Order {}

async fn types_that_a_key_names_are_cached_apart(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for _ in 0..2 {
        assert_eq!(cache.scope(USERS.named(&source, 1)).await, "user 1 1");
        assert_eq!(cache.scope(ORDERS.named(&source, 1)).await, "order 1 1");
        assert_eq!(cache.scope(User.name(&source)).await, "user 1");
        assert_eq!(cache.scope(Order.name(&source)).await, "order 1");
        filled(&cache, 4).await;
    }
    assert_eq!((source.loads(), cache.stats().total().hits), (4, 4));
}

async fn writers_and_tags_name_types_as_readers_do(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let read = async |loads: usize| {
        cache.scope(USERS.named(&source, 1)).await;
        cache.scope(ORDERS.named(&source, 1)).await;
        filled(&cache, loads as u64).await;
        assert_eq!(source.loads(), loads);
    };
    // The first one puts the generation of its tag there.
    read(2).await;
    cache.scope(USERS.forget(1)).await;
    read(3).await;
    cache.scope(Repo::<Order>::forget_all()).await;
    read(4).await;
    cache.scope(USERS.forget_the_result()).await;
    read(5).await;

    cache.scope(ORDERS.write_named(&source, 1)).await;
    let version = cache.scope(USERS.write_named(&source, 1)).await;
    assert_eq!(cache.scope(USERS.written_named(&source, 1)).await, version);
    assert_eq!(
        cache.scope(ORDERS.written_named(&source, 1)).await,
        version - 1
    );
    assert_eq!(source.loads(), 5, "both were hits");
}

impl<E: Entity> Repo<E> {
    #[redis_cached(ttl = 60, key = "instantiations:own:<id>", skip(T, source))]
    async fn own<T: std::fmt::Display>(&self, id: T, source: &Source) -> String {
        format!("{} {}", E::NAME, source.load().await)
    }
}

async fn parameters_of_the_function_itself_may_be_given_up(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(cache.scope(USERS.own(1_u8, &source)).await, "user 1");
    filled(&cache, 1).await;
    assert_eq!(cache.scope(USERS.own("1", &source)).await, "user 1");
    assert_eq!(source.loads(), 1);
}

trait Users {
    async fn user(&self, source: &Source, id: u64) -> u64;
}

impl Users for Eur {
    #[redis_cached(ttl = 60, key = "instantiations:shared:<id>", skip(source))]
    async fn user(&self, source: &Source, id: u64) -> u64 {
        source.load().await + id
    }
}

impl Users for Usd {
    #[redis_cached(ttl = 60, key = "instantiations:shared:<id>", skip(source))]
    async fn user(&self, source: &Source, id: u64) -> u64 {
        source.load().await + id
    }
}

impl<E: Entity> Users for Repo<E> {
    #[redis_cached(ttl = 60, key = "instantiations:shared:<id>", skip(source))]
    async fn user(&self, source: &Source, id: u64) -> u64 {
        source.load().await + id
    }
}

#[redis_cached(ttl = 60, key = "instantiations:shared:<number>", skip(source))]
async fn user(source: &Source, number: u64) -> u64 {
    source.load().await + number
}

async fn functions_share_a_template_on_purpose_whatever_they_are_in(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for id in 1..=2 {
        let first = match id {
            1 => cache.scope(user(&source, id)).await,
            _ => cache.scope(USERS.user(&source, id)).await,
        };
        filled(&cache, id).await;
        assert_eq!(cache.scope(Eur.user(&source, id)).await, first);
        assert_eq!(cache.scope(Usd.user(&source, id)).await, first);
        assert_eq!(cache.scope(USERS.user(&source, id)).await, first);
        assert_eq!(cache.scope(user(&source, id)).await, first);
        assert_eq!(source.loads(), id as usize);
    }
}

impl<E: Entity> Repo<E> {
    #[redis_cached(ttl = 60, key = "instantiations:by-hand:<id>", skip(source))]
    async fn by_hand(&self, source: &Source, id: u64) -> u64 {
        source.load().await + id - id
    }
}

async fn entries_of_one_instance_are_read_and_written_by_hand(world: World) {
    const POLICY: Policy = Policy::new().ttl(std::time::Duration::from_secs(60));
    let cache = world.cache().await;
    let source = Source::new();
    let key = "instantiations:by-hand:1";
    assert_eq!(cache.scope(USERS.by_hand(&source, 1)).await, 1);
    filled(&cache, 1).await;
    assert_eq!(cache.get::<u64>(key).await.unwrap(), Some(1));
    let more = |old: Option<u64>| Ok::<_, Error>(old.unwrap_or(0) + 10);
    assert_eq!(
        cache.entry(key).policy(&POLICY).update(more).await.unwrap(),
        11
    );
    assert_eq!(cache.scope(USERS.by_hand(&source, 1)).await, 11);
    assert!(cache.put(&POLICY, key, &20_u64).await.unwrap());
    assert_eq!(cache.scope(USERS.by_hand(&source, 1)).await, 20);
    assert_eq!(source.loads(), 1);
}

#[cfg(feature = "testing")]
mod told {
    use cached_redis::testing::{Recorded, Recorder};

    use super::*;

    impl<E: Entity> Repo<E> {
        #[redis_cached(ttl = 60, key = "instantiations:told:<id>")]
        async fn told(&self, id: u64) -> String {
            row::<E>(id)
        }
    }

    #[tokio::test]
    async fn that_a_key_forgets_a_type_is_told_once() {
        let recorder = Recorder::new();
        let builder = World::in_memory().builder().recorder(recorder.clone());
        let cache = builder.build().await.unwrap();
        for _ in 0..2 {
            cache.scope(USERS.told(1)).await;
            assert_eq!(recorder.count(Recorded::SharedKey), 0);
        }
        for _ in 0..2 {
            cache.scope(ORDERS.told(1)).await;
            cache.scope(USERS.told(1)).await;
            assert_eq!(recorder.count(Recorded::SharedKey), 1);
        }
    }
}

/// Functions of which each process runs one instance.
mod apart {
    use super::*;

    impl<E: Entity> Repo<E> {
        #[redis_cached(ttl = 60, key = "instantiations:apart:<id>")]
        pub(super) async fn apart(&self, id: u64) -> String {
            row::<E>(id)
        }

        #[redis_cached(ttl = 60)]
        pub(super) async fn apart_by_default(id: u64) -> String {
            row::<E>(id)
        }

        #[redis_cached(ttl = 60, key = "instantiations:apart:absent")]
        pub(super) async fn apart_absent(&self) -> Option<String> {
            (E::NAME == "user").then(|| row::<E>(0))
        }

        #[redis_cached(batch(id in ids), ttl = 60, key = "instantiations:apart:batch:<id>")]
        pub(super) async fn apart_batch(
            &self,
            ids: &[u64],
        ) -> std::collections::BTreeMap<u64, String> {
            ids.iter().map(|id| (*id, row::<E>(*id))).collect()
        }

        #[write_through(ttl = 60, key = "instantiations:apart:through", tags = [])]
        pub(super) async fn apart_write(&self) -> String {
            row::<E>(0)
        }

        #[redis_cached(ttl = 60, key = "instantiations:apart:through")]
        pub(super) async fn apart_written(&self) -> String {
            row::<E>(0)
        }
    }

    pub(super) trait Apart {
        const SIGN: &'static str;

        #[redis_cached(ttl = 60, key = "instantiations:apart:trait:<n>")]
        async fn priced(&self, n: u64) -> String {
            format!("{n} {}", Self::SIGN)
        }
    }

    impl Apart for Eur {
        const SIGN: &'static str = "€";
    }

    impl Apart for Usd {
        const SIGN: &'static str = "$";
    }
}

/// Set in the environment of the other process.
const ADDRESS: &str = "INSTANTIATIONS_REDIS";

async fn other_process(repo: Repo<Order>) -> String {
    let mut said = repo.apart(1).await;
    said += &Repo::<Order>::apart_by_default(1).await;
    said += &format!("{:?}", repo.apart_absent().await);
    said += &repo.apart_batch(&[1]).await[&1];
    repo.apart_write().await;
    said += &repo.apart_written().await;
    said + &apart::Apart::priced(&Usd, 1).await
}

/// What the other process does; without an address, nothing.
#[tokio::test]
#[ignore = "started by a test of this module"]
async fn process_with_another_instance() {
    let Ok(url) = std::env::var(ADDRESS) else {
        return;
    };
    let builder = Cache::builder().url(url).namespace("it");
    let cache = builder.require_connection(true).build().await.unwrap();
    let said = cache.scope(other_process(ORDERS)).await;
    filled(&cache, 6).await;
    let undecodable = cache.stats().total().undecodable;
    println!("<{said}, {undecodable} replaced>");
}

fn another_process(url: &str) -> String {
    let mut child = again("instantiations::process_with_another_instance")
        .env(ADDRESS, url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut said = String::new();
    let output = child.stdout.as_mut().expect("it was asked for");
    output.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let (_, said) = said.split_once('<').expect("it says something");
    said.split_once('>').expect("to the end").0.to_owned()
}

async fn processes_that_run_one_instance_each_never_share_an_entry(mut world: World) {
    use apart::Apart as _;
    let cache = world.cache().await;
    let url = world.redis().url();
    for round in 0..2_u64 {
        assert_eq!(cache.scope(USERS.apart(1)).await, "user 1");
        assert_eq!(
            cache.scope(Repo::<User>::apart_by_default(1)).await,
            "user 1"
        );
        let absent = cache.scope(USERS.apart_absent()).await;
        assert_eq!(absent.as_deref(), Some("user 0"));
        assert_eq!(cache.scope(USERS.apart_batch(&[1])).await[&1], "user 1");
        cache.scope(USERS.apart_write()).await;
        assert_eq!(cache.scope(USERS.apart_written()).await, "user 0");
        assert_eq!(cache.scope(Eur.priced(1)).await, "1 €");
        filled(&cache, 6 * (round + 1)).await;
        let said = another_process(&url);
        assert_eq!(said, "order 1order 1Noneorder 1order 01 $, 5 replaced");
    }
    // Those of the write-through are hits in both.
    let stats = cache.stats().total();
    assert_eq!((stats.undecodable, stats.hits), (5, 2));
}
