//! Keys, and what of the signature has to be in them.

use super::refused;

refused! {
    debug_of_a_float:
        r#"#[redis_cached(ttl = 5, key = "near:<at:?>")]
           async fn near(«at»: (f64, f64)) -> String { load().await }"#
            => "`<at:?>` would render a float by `Debug`",
                "write `<at>`, or `<at:hash>` for a compound";

    empty_key:
        r#"#[redis_cached(ttl = 5, key = «""»)]
           async fn user(id: u64) -> String { load().await }"#
            => "the key is empty",
                r#"write something like `"user:<id>"`"#;

    empty_placeholder:
        r#"#[redis_cached(ttl = 5, key = «"user:<>"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "empty placeholder `<>`",
                "write the parameter's name inside the brackets";

    escaped_bracket:
        r#"#[redis_cached(ttl = 5, key = ««"user:<<id>"»»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`<<` in the key",
                "a literal `<` cannot be written; write `<name>` for a parameter"
            => "stray `>` in the key",
                "write `<name>` for a parameter; values never need a literal `>`";

    generic_parameter_unaccounted:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           async fn user<«T»: From<u64> + std::fmt::Display, const «N»: usize>(id: u64) -> String { load().await }"#
            => "`T` is neither in the key nor in `skip`",
                "add `<T>` to the key, or `skip(T)` if it does not change the result"
            => "`N` is neither in the key nor in `skip`",
                "add `<N>` to the key, or `skip(N)` if it does not change the result";

    parameter_unaccounted:
        r#"#[redis_cached(ttl = 5, key = "user:<id>")]
           async fn user(id: u64, («shop», _): (u64, u64), «tenant»: &str) -> String { load().await }"#
            => "`shop` is neither in the key nor in `skip`",
                "add `<shop>` to the key, or `skip(shop)` if it does not change the result"
            => "`tenant` is neither in the key nor in `skip`",
                "add `<tenant>` to the key, or `skip(tenant)` if it does not change the result";

    key_without_name:
        r#"#[redis_cached(«"user:<id>"», ttl = 5)]
           async fn user(id: u64) -> String { load().await }"#
            => "a key without its name",
                r#"write `key = "user:<id>"`"#;

    method_without_key:
        "#[redis_cached(ttl = 5)]
         async fn «user»(&self, id: u64) -> String { load().await }"
            => "the method `user` needs a `key`: its type cannot be seen from here",
                r#"write `key = "user:<…>"`"#;

    parameter_in_key_and_skip:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", skip(«id»))]
           async fn user(id: u64) -> String { load().await }"#
            => "`id` is both in the key and in `skip`",
                "remove `<id>` or the `skip`";

    placeholders_not_kept_apart:
        r#"#[redis_cached(ttl = 5, key = «"user:<id>-<team>"»)]
           async fn user(id: u64, team: &str) -> String { load().await }"#
            => "nothing keeps the values of `<id>-<team>` apart, so two calls could share a key",
                "put a `:` between them: `<id>:<team>`";

    self_without_receiver:
        r#"#[redis_cached(ttl = 5, key = «"user:<self.tenant>:<id>"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`<self.tenant>` needs a receiver, and the function has none",
                "add `&self`, or name a parameter";

    skip_of_no_parameter:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", skip(«db»))]
           async fn user(id: u64) -> String { load().await }"#
            => "`db` is no parameter of `user`",
                "its parameters: `id`";

    stray_bracket:
        r#"#[redis_cached(ttl = 5, key = «"user:<id>>"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "stray `>` in the key",
                "write `<name>` for a parameter; values never need a literal `>`";

    unclosed_placeholder:
        r#"#[redis_cached(ttl = 5, key = «"user:<id"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "unclosed `<` in the key",
                "close the placeholder with `>`";

    unknown_format:
        r#"#[redis_cached(ttl = 5, key = «"user:<id:x>"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "unknown format in `<id:x>`",
                "write `<name>`, `<name:?>` for `Debug` or `<name:hash>` for anything that serializes";

    unknown_parameter:
        r#"#[redis_cached(ttl = 5, key = «"user:<uid>"», skip(«db»))]
           async fn user(id: u64) -> String { load().await }"#
            => "`<uid>` names no parameter of `user`",
                "did you mean `<id>`? its parameters: `id`"
            => "`db` is no parameter of `user`",
                "its parameters: `id`";

    skipped_twice:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", skip(db, «db»))]
           async fn user(db: &Db, id: u64) -> String { load().await }"#
            => "`db` is skipped twice",
                "keep one of them";
}
