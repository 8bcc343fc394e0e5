//! What the catalogue finds of types behind one key: by the types themselves once values were kept, and
//! until then by names that can mean nothing else.

use cached_redis::Cache;

use crate::support::{World, eventually};

macro_rules! rows {
    ($($name:ident)*) => {$(
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub u64);
    )*};
}

/// One type under many names.
mod alike {
    use std::rc::Rc;
    use std::sync::Arc;

    use cached_redis::{redis_cached, write_through};

    rows!(User);
    type Row = User;
    type Found<T> = Result<Option<T>, String>;

    #[redis_cached(ttl = 60, key = "alike:<id>")]
    pub(super) async fn plain(id: u64) -> User {
        User(id)
    }

    #[redis_cached(ttl = 60, key = "alike:<id>")]
    pub(super) async fn alias(id: u64) -> Found<Row> {
        Ok(Some(User(id)))
    }

    #[redis_cached(ttl = 60, key = "alike:<id>")]
    pub(super) async fn path(id: u64) -> crate::catalog_types::alike::User {
        User(id)
    }

    #[redis_cached(ttl = 60, key = "alike:<id>")]
    pub(super) async fn shared(id: u64) -> Option<Arc<User>> {
        Some(Arc::new(User(id)))
    }

    #[redis_cached(ttl = 60, key = "alike:<id>")]
    pub(super) async fn boxed(id: u64) -> Box<self::Row> {
        Box::new(User(id))
    }

    #[write_through(ttl = 60, key = "alike:<id>", tags = [])]
    pub(super) async fn written(id: u64) -> Rc<User> {
        Rc::new(User(id))
    }

    #[redis_cached(ttl = 60, key = "alike:names:<id>")]
    pub(super) async fn names(id: u64) -> std::vec::Vec<std::string::String> {
        vec![id.to_string()]
    }

    #[redis_cached(ttl = 60, key = "alike:names:<id>")]
    pub(super) async fn same_names(id: u64) -> Result<Vec<Box<String>>, String> {
        Ok(vec![Box::new(id.to_string())])
    }
}

/// Several types under one name, or under names that may be one type's.
mod unlike {
    use cached_redis::{redis_cached, write_through};

    pub(super) mod old {
        rows!(User);
    }
    rows!(User Order);

    #[redis_cached(ttl = 60, key = "unlike:<id>")]
    pub(super) async fn new_user(id: u64) -> User {
        User(id)
    }

    #[redis_cached(ttl = 60, key = "unlike:<n>")]
    pub(super) async fn old_user(n: u64) -> Option<old::User> {
        Some(old::User(n))
    }

    #[write_through(ttl = 60, key = "unlike:<id>", tags = [])]
    pub(super) async fn order(id: u64) -> Vec<Order> {
        vec![Order(id)]
    }
}

/// What can be told before anything was kept.
#[allow(dead_code, reason = "the catalogue alone looks at them")]
mod written {
    use cached_redis::{redis_cached, write_through};

    #[redis_cached(ttl = 60, key = "written:<id>")]
    async fn texts(id: u64) -> Result<Vec<String>, String> {
        Err(id.to_string())
    }

    #[write_through(ttl = 60, key = "written:<id>", tags = [])]
    async fn numbers(id: u64) -> Result<Vec<u64>, String> {
        Err(id.to_string())
    }
}

/// Methods that keep as many types as there are types around them.
mod of_many {
    use cached_redis::{KeyName, redis_cached};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    pub(super) struct Of<T>(T);

    impl<T: KeyName + Default + Serialize + DeserializeOwned + Send> Of<T> {
        #[redis_cached(ttl = 60, key = "of-many:<T>:<id>")]
        pub(super) async fn get(id: u64) -> T {
            T::default()
        }

        #[redis_cached(ttl = 60, key = "of-many:<T>:<id>")]
        pub(super) async fn find(id: u64) -> Option<T> {
            Some(T::default())
        }
    }
}

async fn problems(module: &str) -> Vec<String> {
    let cache = World::in_memory().cache().await;
    let module = format!("{}::{module}::", module_path!());
    let problems = cache.catalog().problems().into_iter();
    let problems = problems.map(|it| it.to_string());
    problems
        .filter(|text| text.starts_with(&format!("`{module}")))
        .map(|text| text.replace(&module, ""))
        .collect()
}

async fn all_kept(cache: &Cache, values: u64) {
    eventually("all values to be kept", async || {
        cache.stats().total().fills == values
    })
    .await;
}

#[tokio::test]
async fn one_type_behind_a_key_is_no_problem_however_it_is_written() {
    assert_eq!(problems("alike").await, [""; 0]);
    let cache = World::in_memory().cache().await;
    let calls = async {
        alike::plain(1).await;
        alike::alias(2).await.unwrap();
        alike::path(3).await;
        alike::shared(4).await;
        alike::boxed(5).await;
        alike::written(6).await;
        alike::names(7).await;
        alike::same_names(8).await.unwrap();
    };
    cache.scope(calls).await;
    all_kept(&cache, 8).await;
    assert_eq!(problems("alike").await, [""; 0]);
}

#[tokio::test]
async fn two_types_behind_a_key_are_found_as_soon_as_both_were_kept() {
    let cache = World::in_memory().cache().await;
    assert_eq!(problems("unlike").await, [""; 0]);
    cache.scope(unlike::new_user(1)).await;
    cache.scope(unlike::old_user(2)).await;
    cache.scope(unlike::order(3)).await;
    all_kept(&cache, 3).await;
    assert_eq!(
        problems("unlike").await,
        [
            "`order` writes `Vec<Order>` through to \"unlike:<id>\", where `new_user` keeps `User`",
            "`order` writes `Vec<Order>` through to \"unlike:<id>\", where `old_user` keeps `old::User`",
            "`new_user` keeps `User` under \"unlike:<id>\", where `old_user` keeps `old::User`",
        ]
    );
}

#[tokio::test]
async fn types_of_the_standard_library_are_told_apart_before_anything_was_kept() {
    assert_eq!(
        problems("written").await,
        [
            "`numbers` writes `Vec<u64>` through to \"written:<id>\", where `texts` keeps `Vec<String>`"
        ]
    );
}

#[tokio::test]
async fn a_method_of_many_types_is_compared_with_nobody() {
    let cache = World::in_memory().cache().await;
    let calls = async {
        of_many::Of::<u8>::get(1).await;
        of_many::Of::<u16>::get(1).await;
        of_many::Of::<String>::find(1).await;
    };
    cache.scope(calls).await;
    all_kept(&cache, 3).await;
    assert_eq!(problems("of_many").await, [""; 0]);
}
