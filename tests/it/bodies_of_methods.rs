//! Bodies whose `self` becomes a copy, since their load may go on without its caller: what compiles
//! without the attribute compiles with it, and means the same.
#![deny(warnings)]
#![allow(
    clippy::needless_pub_self,
    clippy::wrong_self_convention,
    reason = "what bodies may hold"
)]

use std::fmt::Debug;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};

#[derive(Clone, Debug)]
struct Shop {
    factor: u64,
}

mod units {
    pub(super) const CENTS: u64 = 100;
}

impl Shop {
    #[redis_cached(ttl = 60, refresh_ahead = 0.8, key = "own:<id>")]
    async fn items_with_a_self_of_their_own(&self, id: u64) -> String {
        use std::fmt::{self, Display};
        struct Row(u64);
        trait Named {
            fn name(&self) -> String;
        }
        impl Display for Row {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "row {}", self.0)
            }
        }
        impl Named for Row {
            fn name(&self) -> String {
                self.to_string()
            }
        }
        Row(self.factor * id).name()
    }

    #[redis_cached(ttl = 60, refresh_ahead = 0.8, key = "format:<id>")]
    async fn format_strings(&self, id: u64) -> String {
        assert_ne!(id, 0, "{self:?} has no zero");
        let (open, close) = ("{self}", String::from("}}"));
        format!("{self:?} {{self}} {id} {open} {close}")
    }

    #[redis_cached(ttl = 60, refresh_ahead = 0.8, key = "paths:<id>")]
    async fn paths_and_visibilities(&self, id: u64) -> u64 {
        mod inner {
            pub(self) struct Private(pub(super) u64);
            pub(super) fn doubled(n: u64) -> u64 {
                Private(2 * n).0
            }
        }
        let twice = |shop: &Self| inner::doubled(shop.factor);
        self::units::CENTS * id + twice(self) + vec![self.factor][0]
    }
}

/// The whole body comes as one fragment of a macro.
macro_rules! method {
    ($name:ident($this:ident, $id:pat => $ty:ty) -> $returns:ty, $key:expr, $body:block) => {
        impl Shop {
            #[redis_cached(ttl = 60, refresh_ahead = 0.8, key = $key)]
            async fn $name(&$this, $id: $ty) -> $returns $body
        }
    };
}

method!(from_a_fragment(self, id => u64) -> String, "fragment:<id>", {
    format!("{self:?} {}", self.factor + id)
});

macro_rules! function {
    ($vis:vis $name:ident($id:ident), $body:block) => {
        #[redis_cached(ttl = 60)]
        $vis async fn $name($id: u64) -> u64 $body
    };
}

function!(pub(crate) function_from_a_fragment(id), { id + 1 });

async fn assert_kept<R: Debug + PartialEq>(call: impl AsyncFn() -> R, expected: R) {
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    let calls = async { (call().with_info().await, call().with_info().await) };
    let (first, second) = cache.scope(calls).await;
    assert_eq!(
        (first.1.status(), second.1.status()),
        (Status::Miss, Status::Hit)
    );
    assert_eq!((&first.0, &second.0), (&expected, &expected));
}

#[tokio::test]
async fn items_inside_keep_their_own_self() {
    let shop = Shop { factor: 2 };
    assert_kept(
        async || shop.items_with_a_self_of_their_own(3).await,
        "row 6".to_owned(),
    )
    .await;
}

#[tokio::test]
async fn format_strings_show_the_copy() {
    let shop = Shop { factor: 2 };
    let expected = "Shop { factor: 2 } {self} 3 {self} }}".to_owned();
    assert_kept(async || shop.format_strings(3).await, expected).await;
}

#[tokio::test]
async fn paths_that_begin_with_self_stay_paths() {
    let shop = Shop { factor: 2 };
    assert_kept(async || shop.paths_and_visibilities(3).await, 306).await;
}

#[tokio::test]
async fn a_body_may_be_a_fragment_of_a_macro() {
    let shop = Shop { factor: 2 };
    let expected = "Shop { factor: 2 } 5".to_owned();
    assert_kept(async || shop.from_a_fragment(3).await, expected).await;
    assert_kept(async || function_from_a_fragment(3).await, 4).await;
}
