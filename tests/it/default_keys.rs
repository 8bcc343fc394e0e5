//! Functions of one name in different places never share an entry unless a key says so.

use cached_redis::redis_cached;

use crate::support::{World, filled, on_both_stores, on_redis};

on_both_stores!(
    functions_of_one_name_in_two_modules_are_apart_by_default,
    arguments_of_a_default_key_are_apart,
    methods_of_one_name_in_one_module_never_serve_each_others_values,
    default_keys_never_meet_however_parameters_are_called,
    default_keys_of_functions_inside_of_others_never_meet,
    default_keys_never_meet_by_a_value_that_looks_like_a_module,
    functions_with_one_key_share_the_entry,
    namespaces_are_apart,
);
on_redis!(a_default_key_names_crate_module_function_and_arguments);

mod shop {
    use cached_redis::redis_cached;

    #[redis_cached(ttl = 60)]
    pub(super) async fn get(id: u64) -> String {
        format!("shop {id}")
    }
}

mod bank {
    use cached_redis::redis_cached;

    #[redis_cached(ttl = 60)]
    pub(super) async fn get(id: u64) -> String {
        format!("bank {id}")
    }
}

#[redis_cached(ttl = 60)]
async fn two(a: &str, b: Option<&str>) -> String {
    format!("{a:?} {b:?}")
}

struct Shop;
struct Bank;

// The attribute cannot see that these are in an `impl`.
impl Shop {
    #[redis_cached(ttl = 60)]
    async fn find(id: u64) -> String {
        format!("shop {id}")
    }
}

impl Bank {
    #[redis_cached(ttl = 60)]
    async fn find(id: u64) -> String {
        format!("bank {id}")
    }
}

impl Shop {
    #[redis_cached(ttl = 60)]
    async fn balance(id: u64) -> String {
        format!("shop {id}")
    }
}

impl Bank {
    #[redis_cached(ttl = 60)]
    async fn balance(account: u64) -> String {
        format!("bank {account}")
    }
}

trait Open {
    async fn hours(day: u64) -> String;
}

macro_rules! open {
    ($($name:ident)+) => {$(
        impl Open for $name {
            #[redis_cached(ttl = 60)]
            async fn hours(day: u64) -> String {
                format!("{} {day}", stringify!($name))
            }
        }
    )+};
}

open!(Shop Bank);

async fn in_a_function(id: u64) -> String {
    #[redis_cached(ttl = 60)]
    async fn inner(id: u64) -> String {
        format!("function {id}")
    }
    inner(id).await
}

async fn in_a_closure(id: u64) -> String {
    let call = |id| {
        #[redis_cached(ttl = 60)]
        async fn inner(n: u64) -> String {
            format!("closure {n}")
        }
        inner(id)
    };
    call(id).await
}

const IN_A_CONST: fn(u64) -> std::pin::Pin<Box<dyn Future<Output = String> + Send>> = {
    #[redis_cached(ttl = 60)]
    async fn inner(key: u64) -> String {
        format!("const {key}")
    }
    |key| Box::pin(inner(key))
};

#[redis_cached(ttl = 60)]
async fn opening(shop: &str, day: &str) -> String {
    format!("{shop} opens on {day}")
}

mod opening {
    use cached_redis::redis_cached;

    #[redis_cached(ttl = 60)]
    pub(super) async fn sunday() -> String {
        "never".to_owned()
    }
}

#[redis_cached(ttl = 60, key = "default-keys:shared:<id>")]
async fn by_number(id: u64) -> String {
    format!("number {id}")
}

#[redis_cached(ttl = 60, key = "default-keys:shared:<name>")]
async fn by_name(name: &str) -> String {
    format!("name {name}")
}

async fn functions_of_one_name_in_two_modules_are_apart_by_default(world: World) {
    let cache = world.cache().await;
    for _ in 0..2 {
        assert_eq!(cache.scope(shop::get(1)).await, "shop 1");
        assert_eq!(cache.scope(bank::get(1)).await, "bank 1");
        filled(&cache, 2).await;
    }
    assert_eq!(cache.stats().total().loads, 2);
}

async fn arguments_of_a_default_key_are_apart(world: World) {
    let cache = world.cache().await;
    for (a, b) in [
        ("1:2", Some("3")),
        ("1", Some("2:3")),
        ("1", None),
        ("1", Some("")),
    ] {
        assert_eq!(cache.scope(two(a, b)).await, format!("{a:?} {b:?}"));
    }
    assert_eq!(cache.stats().total().loads, 4);
}

async fn methods_of_one_name_in_one_module_never_serve_each_others_values(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        assert_eq!(cache.scope(Shop::find(1)).await, "shop 1");
        assert_eq!(cache.scope(Bank::find(1)).await, "bank 1");
    }
}

async fn default_keys_never_meet_however_parameters_are_called(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        assert_eq!(cache.scope(Shop::balance(1)).await, "shop 1");
        assert_eq!(cache.scope(Bank::balance(1)).await, "bank 1");
        assert_eq!(cache.scope(Shop::hours(1)).await, "Shop 1");
        assert_eq!(cache.scope(Bank::hours(1)).await, "Bank 1");
    }
}

async fn default_keys_of_functions_inside_of_others_never_meet(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        assert_eq!(cache.scope(in_a_function(1)).await, "function 1");
        assert_eq!(cache.scope(in_a_closure(1)).await, "closure 1");
        assert_eq!(cache.scope(IN_A_CONST(1)).await, "const 1");
    }
}

async fn default_keys_never_meet_by_a_value_that_looks_like_a_module(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        assert_eq!(cache.scope(opening("", "sunday")).await, " opens on sunday");
        assert_eq!(cache.scope(opening::sunday()).await, "never");
    }
}

async fn functions_with_one_key_share_the_entry(world: World) {
    let cache = world.cache().await;
    assert_eq!(cache.scope(by_number(7)).await, "number 7");
    assert_eq!(cache.scope(by_name("7")).await, "number 7");
    assert_eq!(cache.scope(by_name("8")).await, "name 8");
}

async fn namespaces_are_apart(world: World) {
    let of = |namespace: &'static str| world.builder().namespace(namespace).build();
    let [blue, green] = [of("blue").await.unwrap(), of("green").await.unwrap()];
    blue.scope(by_number(1)).await;
    filled(&blue, 1).await;
    assert_eq!(green.scope(by_name("1")).await, "name 1");
    green.invalidate("default-keys:shared:1").await.unwrap();
    assert_eq!(blue.scope(by_name("1")).await, "number 1");
}

async fn a_default_key_names_crate_module_function_and_arguments(mut world: World) {
    let cache = world.cache().await;
    cache.scope(shop::get(1)).await;
    filled(&cache, 1).await;
    let keys: Vec<_> = world.redis().lives().into_keys().collect();
    assert_eq!(keys, ["it:it::default_keys::shop::get:1"]);
}
