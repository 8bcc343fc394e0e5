//! What can be cached at all.

use super::refused;

refused! {
    no_body:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           async fn «user»(&self, id: u64) -> String;"#
            => "`user` has no body",
                "put `#[redis_cached]` on the methods that implement it";

    not_a_function:
        "#[redis_cached(ttl = 5)]
         «struct» User {
             id: u64,
         }"
            => "this is no function with a body",
                "put `#[redis_cached]` on an `async fn` that has a body";

    not_async:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           «fn» user(id: u64) -> String { load().await }"#
            => "`#[redis_cached]` needs an async function",
                "write `async fn user`";

    returns_impl_trait:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           async fn user(id: u64) -> «Result<impl std::fmt::Display, String>» { load().await }"#
            => "a cached function cannot return `impl Trait`",
                "write the type itself";

    returns_nothing:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           async fn «user»(id: u64) { load().await }"#
            => "`user` returns nothing that could be kept",
                "return the value, or remove `#[redis_cached]`";

    returns_reference:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           async fn user(id: &str) -> Option<«&str»> { load().await }"#
            => "a cached function cannot return a reference",
                "return an owned value, such as `String` for `&str`";
}
