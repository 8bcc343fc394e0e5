//! Tags of readers.

use super::refused;

refused! {
    tags_empty:
        r#"#[redis_cached(ttl = 60, key = "user:<id>", tags = [«""»])]
           async fn user(id: u64) -> u64 { load().await }"#
            => "the tag is empty",
                r#"write something like `"user:<id>"`"#;

    tags_list:
        r#"#[redis_cached(ttl = 60, key = "user:<id>", tags(«"users"»))]
           async fn user(id: u64) -> u64 { load().await }"#
            => "`tags` has no readable value: expected ident",
                r#"write `tags = ["team:<team>"]`"#;

    tags_not_strings:
        r#"#[redis_cached(ttl = 60, key = "user:<id>", tags = [«users», "team"])]
           async fn user(id: u64) -> u64 { load().await }"#
            => "a tag is not given as a string literal",
                r#"write `tags = ["team:<team>"]`"#;

    tags_pattern:
        r#"#[redis_cached(ttl = 60, key = "user:<id>", tags = «"user:<id>:*"»)]
           async fn user(id: u64) -> u64 { load().await }"#
            => "a tag is no pattern",
                "name it exactly: give the entries one more tag that they all share";

    tags_twice:
        r#"#[redis_cached(ttl = 60, key = "user:<id>", tags = ["users", «"users"»])]
           async fn user(id: u64) -> u64 { load().await }"#
            => "this tag is named twice",
                "remove one of them";

    tags_unknown_parameter:
        r#"#[redis_cached(ttl = 60, key = "user:<id>", tags = [«"user:<idd>"», «"team:<result>"»])]
           async fn user(id: u64) -> u64 { load().await }"#
            => "`<idd>` names no parameter of `user`",
                "did you mean `<id>`? its parameters: `id`"
            => "`<result>` names no parameter of `user`",
                "its parameters: `id`";
}
