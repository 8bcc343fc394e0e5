//! Expansions, compared with formatted files in `tests/snapshots`.
//!
//! After a change on purpose, `BLESS=1 cargo test -p cached-redis-macros` writes them anew; read
//! the difference before committing it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::entry;

mod accounted;
mod configured;
mod messages;
mod once;
mod refused;

/// Formats the expansion and compares it with the file.
#[track_caller]
fn assert_snapshot(name: &str, expansion: TokenStream) {
    let file = syn::parse2(expansion).expect("the expansion is a file of Rust");
    let formatted = prettyplease::unparse(&file);
    let path = format!("{}/tests/snapshots/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, formatted).expect("the snapshot can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).expect("the snapshot can be read");
    assert_eq!(
        formatted, expected,
        "{path} differs; `BLESS=1` writes it anew"
    );
}

#[test]
fn cached_with_every_option() {
    let expansion = entry::cached(
        quote! {
            key = "user:<id>:<name.0>:<tags:?>:<filter:hash>:<T>:<N>",
            ttl = "1h30m",
            jitter = 0.05,
            negative_ttl = self::NEGATIVE,
            compress = "4 KiB",
            skip(db),
            codec = msgpack,
            condition = id > 0,
            unless = result.is_empty(),
            cache = db.cache,
            policy = "hot",
            crate = facade::cached_redis,
        },
        &quote! {
            /// Documentation is kept.
            #[must_use]
            pub(crate) async fn search<T: Named, const N: usize>(
                id: u64,
                name: (String,),
                tags: Vec<String>,
                filter: &Filter,
                db: &Db,
            ) -> Result<Vec<User>, DbError> {
                #![allow(unused)]
                db.search(id).await?
            }
        },
    );
    assert_snapshot("cached_with_every_option", expansion);
}

#[test]
fn cached_with_tags() {
    let expansion = entry::cached(
        quote!(
            ttl = 300,
            key = "user:<id>",
            tags = ["team:<user.team>", "users"],
            skip(user)
        ),
        &quote! {
            async fn orders(id: u64, user: &User) -> Vec<Order> {
                load(id).await
            }
        },
    );
    assert_snapshot("cached_with_tags", expansion);
}

#[test]
fn invalidates_keys_and_tags() {
    let expansion = entry::invalidates(
        quote!(
            "user:<id>",
            tag = "team:<team>",
            tag = "user:<id>:<result.id>",
            when = "ok"
        ),
        &quote! {
            async fn rename(id: u64, team: String) -> Result<User, DbError> {
                store(id, team).await
            }
        },
    );
    assert_snapshot("invalidates_keys_and_tags", expansion);
}

#[test]
fn written_behind_with_every_option() {
    let expansion = entry::write_behind(
        quote!(
            queue = "stock",
            key = "{stock}:<id>:<place:?>",
            value = stock,
            max_queue = 50,
            max_lag = "30s",
            coalesce,
            cache = CACHE,
            crate = other::path
        ),
        &quote! {
            /// Says so.
            pub(crate) async fn save(db: &Db, id: u64, mut stock: Stock, place: Option<String>) -> Result<(), DbError> {
                stock.settle();
                db.save(id, stock, place).await
            }
        },
    );
    assert_snapshot("written_behind_with_every_option", expansion);
}

#[test]
fn cached_batch() {
    let expansion = entry::cached(
        quote!(batch(id in ids), ttl = 300, key = "user:<tenant>:<id>", skip(db), unless = result.banned),
        &quote! {
            async fn users(
                &self,
                db: &Db,
                mut tenant: String,
                ids: &[u64],
            ) -> Result<HashMap<u64, User>, DbError> {
                db.users(&tenant, ids).await
            }
        },
    );
    assert_snapshot("cached_batch", expansion);
}

#[test]
fn cached_batch_with_loads_that_go_on_without_their_caller() {
    let expansion = entry::cached(
        quote!(
            batch(id in ids), ttl = 300, key = "user:<tenant>:<id>", tags = ["team:<id>"], version = revision,
            refresh_ahead = 0.8, skip(db)
        ),
        &quote! {
            async fn users(&self, db: &Db, tenant: String, ids: &[u64]) -> HashMap<u64, User> {
                self.of(db, &tenant, ids).await
            }
        },
    );
    assert_snapshot(
        "cached_batch_with_loads_that_go_on_without_their_caller",
        expansion,
    );
}

#[test]
fn cached_with_the_default_key() {
    let expansion = entry::cached(
        quote!(ttl = 300),
        &quote! {
            async fn price((shop, article): (u64, u64), _: &Db, r#type: Option<&str>) -> u64 {
                shop + article
            }
        },
    );
    assert_snapshot("cached_with_the_default_key", expansion);
}

#[test]
fn cached_method_that_was_boxed() {
    let expansion = entry::cached(
        quote!(ttl = DAY, key = "item:<self.shop>:<a>:<id>"),
        &quote! {
            fn item<'life0, 'async_trait>(
                &'life0 self,
                __arg1: (u64, u64),
                id: u64,
                __arg3: u8,
            ) -> ::core::pin::Pin<Box<
                dyn ::core::future::Future<Output = Option<Item>> + ::core::marker::Send + 'async_trait
            >>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(async move {
                    if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<Option<Item>> {
                        return __ret;
                    }
                    let __self = self;
                    let (a, _) = { let __arg1 = __arg1; __arg1 };
                    let mut id = id;
                    let __arg3 = __arg3;
                    let __ret: Option<Item> = { id += a; __self.find(id).await };
                    __ret
                })
            }
        },
    );
    assert_snapshot("cached_method_that_was_boxed", expansion);
}

#[test]
fn cached_with_a_load_that_goes_on_without_its_caller() {
    let expansion = entry::cached(
        quote! {
            key = "price:<name>:<id>",
            ttl = 300,
            stale_while_revalidate = "1h",
            stale_if_error = WINDOW,
            refresh_ahead = 0.8,
            early_expiry = 1,
            soft_timeout = "100ms",
            timeout = 2,
        },
        &quote! {
            async fn price(&self, name: &str, id: u64) -> Result<u64, DbError> {
                let factor = self::FACTOR;
                Ok(factor * self.db.price(name, id).await?)
            }
        },
    );
    assert_snapshot(
        "cached_with_a_load_that_goes_on_without_its_caller",
        expansion,
    );
}

#[test]
fn invalidates_several_keys() {
    let expansion = entry::invalidates(
        quote!(
            "user:<id>",
            "team:<self.team>",
            "user:<id>:*",
            cache = self.cache
        ),
        &quote! {
            async fn rename(&self, id: u64, name: &str) {
                self.db.rename(id, name).await
            }
        },
    );
    assert_snapshot("invalidates_several_keys", expansion);
}

#[test]
fn invalidates_by_the_result() {
    let expansion = entry::invalidates(
        quote!(
            "user:<result.id>",
            "team:<team>:<result.id>:x",
            "all",
            "team:<team>:<result.id>:*",
            when = "ok"
        ),
        &quote! {
            async fn create(team: String) -> Result<User, DbError> {
                insert(team).await
            }
        },
    );
    assert_snapshot("invalidates_by_the_result", expansion);
}

#[test]
fn invalidates_in_two_phases() {
    let expansion = entry::invalidates(
        quote!("user:<id>", guard, replica_lag = "2s", publish, settled),
        &quote! {
            async fn rename(id: u64) {
                update(id).await
            }
        },
    );
    assert_snapshot("invalidates_in_two_phases", expansion);
}

#[test]
fn invalidates_in_two_phases_or_not_at_all() {
    let expansion = entry::invalidates(
        quote!(
            "user:<id>",
            guard = "require",
            replica_lag = LAG,
            cache = CACHE
        ),
        &quote! {
            async fn rename(id: u64) -> ApiResult<()> {
                update(id).await
            }
        },
    );
    assert_snapshot("invalidates_in_two_phases_or_not_at_all", expansion);
}

#[test]
fn invalidates_before_a_function_of_hidden_type() {
    let expansion = entry::invalidates(
        quote!("all", when = "before"),
        &quote! {
            async fn rows() -> impl Iterator<Item = Row> {
                std::iter::empty()
            }
        },
    );
    assert_snapshot("invalidates_before_a_function_of_hidden_type", expansion);
}

#[test]
fn written_through_with_every_option() {
    let expansion = entry::write_through(
        quote! {
            key = "user:<self.tenant>:<id>",
            ttl = TTL,
            jitter = 0.1,
            negative_ttl = 0,
            compress = self::LIMIT,
            tags = ["tenant:<self.tenant>", "users"],
            codec = json,
            unless = result.is_none(),
            cache = self.cache,
            policy = "hot",
            settled,
        },
        &quote! {
            async fn rename(&self, id: u64, name: &str) -> Result<Option<User>, DbError> {
                self.db.rename(id, name).await?
            }
        },
    );
    assert_snapshot("written_through_with_every_option", expansion);
}

#[test]
fn types_around_a_function_can_be_named() {
    let expansion = entry::cached(
        quote!(ttl = 300, key = "count:<Self>:<Entity>:<id>"),
        &quote! {
            async fn count(id: u64) -> u64 {
                id
            }
        },
    );
    let expansion = expansion.to_string().replace(' ', "");
    for ty in ["Self", "Entity"] {
        assert!(
            expansion.contains(&format!("__k.name::<{ty}>()")),
            "{expansion}"
        );
        let name = format!("<{ty}as::cached_redis::__private::KeyName>::KEY_NAME");
        assert!(expansion.contains(&name), "{expansion}");
    }
}

#[test]
fn what_is_no_type_or_nearly_a_parameter_is_a_slip_of_the_pen() {
    for (key, message) in [
        ("count:<entity>:<id>", "`<entity>` names no parameter"),
        ("count:<Id>", "did you mean `<id>`"),
        (
            "count:<Self:?>:<id>",
            "asks too much of a generic parameter",
        ),
    ] {
        let expansion = entry::cached(
            quote!(ttl = 300, key = #key),
            &quote! {
                async fn count(id: u64) -> u64 {
                    id
                }
            },
        );
        assert!(
            expansion.to_string().contains(message),
            "{key}: {expansion}"
        );
    }
}

#[test]
fn a_mistake_leaves_the_function_as_it_was() {
    let expansion = entry::cached(
        quote!(tll = 300, key = "user:<idd>"),
        &quote! {
            async fn user(id: u64) -> User {
                load(id).await
            }
        },
    );
    assert_snapshot("a_mistake_leaves_the_function_as_it_was", expansion);
}

/// What `#[redis_cached]` with these options comes to.
fn expanded(options: proc_macro2::TokenStream) -> String {
    let function = quote! {
        async fn user(id: u64) -> User {
            load(id).await
        }
    };
    entry::cached(options, &function).to_string()
}

#[test]
fn jitter_as_a_percentage_lengthens_only_without_a_sign() {
    for (jitter, expected) in [
        (
            quote!(0.05),
            "jitter (:: cached_redis :: __private :: Jitter :: around (0.05))",
        ),
        (
            quote!("5%"),
            "jitter (:: cached_redis :: __private :: Jitter :: around (0.05))",
        ),
        (
            quote!("-5%"),
            "jitter (:: cached_redis :: __private :: Jitter :: below (0.05))",
        ),
        (
            quote!("-12.5%"),
            "jitter (:: cached_redis :: __private :: Jitter :: below (0.125))",
        ),
        (
            quote!(SHARE),
            "jitter (:: cached_redis :: __private :: Jitter :: around (SHARE))",
        ),
    ] {
        let expansion = expanded(quote!(ttl = 300, jitter = #jitter));
        assert!(expansion.contains(expected), "{jitter}: {expansion}");
    }
}

#[test]
fn what_is_no_share_of_the_ttl_is_refused_with_both_forms() {
    for jitter in [
        "", "%", "-%", "5", "-0.05", "+5%", "--5%", "-5 %", "100%", "-100%", "1e9%", "inf%", "NaN%",
    ] {
        let expansion = expanded(quote!(ttl = 300, jitter = #jitter));
        assert!(
            expansion.contains("is no share of the TTL below 100 %"),
            "{jitter}: {expansion}"
        );
        assert!(
            expansion.contains("`0.05`") && expansion.contains("-5%"),
            "{expansion}"
        );
        assert_eq!(expansion.matches("compile_error").count(), 1, "{expansion}");
    }
}

#[test]
fn a_schema_is_one_of_two_words_and_additive_only_where_names_are_written() {
    for (options, refused) in [
        (quote!(schema = "exact"), None),
        (quote!(schema = "exact", codec = bincode), None),
        (quote!(schema = "additive"), None),
        (quote!(schema = "additive", codec = json), None),
        (quote!(schema = "additive", codec = codecs::Mine), None),
        (
            quote!(schema = "additive", codec = bincode),
            Some("codec = msgpack"),
        ),
        (
            quote!(codec = bincode, schema = "additive"),
            Some("codec = msgpack"),
        ),
        (quote!(schema = "aditive"), Some("none of its two words")),
        (quote!(schema = additive), Some("schema = \\\"…\\\"")),
    ] {
        let expansion = expanded(quote!(ttl = 300, #options));
        let errors = expansion.matches("compile_error").count();
        assert_eq!(
            errors,
            usize::from(refused.is_some()),
            "{options}: {expansion}"
        );
        assert!(
            expansion.contains(refused.unwrap_or("Schema ::")),
            "{options}: {expansion}"
        );
    }
}

#[test]
fn every_name_a_field_can_have_expands() {
    let expansion = entry::cached(
        quote!(
            ttl = 300,
            key = "row:<row.type>:<row.r>:<row.0>:<row.union>:<row.gen>"
        ),
        &quote! {
            async fn cell(row: &Row) -> u64 {
                1
            }
        },
    );
    let expansion = expansion.to_string();
    assert!(expansion.contains("row . r#type"), "{expansion}");
    assert!(expansion.contains("row . r#gen"), "{expansion}");
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn names_that_no_field_can_have_are_refused_without_a_panic() {
    for field in ["self", "Self", "super", "crate", "r#type", "_"] {
        let key = format!("row:<row.{field}>");
        let expansion = entry::cached(
            quote!(ttl = 300, key = #key),
            &quote! {
                async fn cell(row: &Row) -> u64 {
                    1
                }
            },
        );
        assert!(expansion.to_string().contains("is no placeholder"), "{key}");
    }
}

#[test]
fn a_body_may_be_a_fragment_of_a_macro() {
    let body = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!({ load(id).await }));
    let expansion = entry::cached(
        quote!(ttl = 300),
        &quote!(async fn user(id: u64) -> User #body),
    );
    let plain = entry::cached(
        quote!(ttl = 300),
        &quote!(
            async fn user(id: u64) -> User {
                load(id).await
            }
        ),
    );
    assert_eq!(expansion.to_string(), plain.to_string());
}
