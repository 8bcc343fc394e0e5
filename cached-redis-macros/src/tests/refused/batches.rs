//! Batches: a function of many ids.

use super::refused;

refused! {
    // A batch may load more than once.
    batch_borrows_mutably:
        r#"#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>", skip(log))]
           async fn users(log: «&mut Vec<u64>», ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "a batch cannot borrow `log` mutably: it may load more than once",
                "borrow `log` shared, or pass it behind an `Arc`"
        r#"#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
           async fn users(«self», ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "a batch cannot take `self` by value: it may load more than once",
                "write `&self`";

    // One id has a name of its own.
    batch_element_is_a_parameter:
        r#"#[redis_cached(batch(«id» in ids), ttl = 60, key = "user:<id>")]
           async fn users(id: u64, ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "`id` is the name of a parameter already",
                "give one element of `ids` another name";

    // Each id has a key of its own.
    batch_element_not_in_key:
        r#"#[redis_cached(batch(id in ids), ttl = 60, key = «"users"»)]
           async fn users(ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "the key does not name `id`: all of `ids` would share it",
                "add `<id>` to the key";

    // One id cannot be left out of its key.
    batch_element_skipped:
        r#"#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>", skip(«id»))]
           async fn users(ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "`id` is skipped, and all of `ids` would have one key",
                "write `<id>` in the key";

    // The key is that of one id.
    batch_key_of_all_ids:
        r#"#[redis_cached(batch(id in ids), ttl = 60, key = «"user:<id>:<ids:hash>"»)]
           async fn users(ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "`<ids:hash>` names no parameter of `users`",
                "did you mean `<id>`? its parameters: `id`";

    // The batch is a parameter of the function.
    batch_of_no_parameter:
        r#"#[redis_cached(batch(id in «idz»), ttl = 60, key = "user:<id>")]
           async fn users(ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "`idz` is no parameter of `users`",
                "did you mean `ids`? its parameters: `ids`";

    // A batch is a slice or a `Vec`.
    batch_of_no_slice:
        r#"#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
           async fn users(ids: «&HashSet<u64>») -> HashMap<u64, String> { load().await }"#
            => "`ids` is neither a slice nor a `Vec`",
                "write `ids: &[…]` or `ids: Vec<…>`";

    // A load behind its caller owns what it needs.
    batch_that_goes_on_with_what_its_ids_borrow:
        r#"#[redis_cached(batch(id in ids), ttl = 60, refresh_ahead = 0.8, key = "user:<id>")]
           async fn users(ids: «&[&str]») -> HashMap<String, String> { load().await }"#
            => "a load that goes on behind its caller cannot keep what `ids` borrows inside",
                "own what is inside, as in `Option<String>` for `Option<&str>`, or remove `refresh_ahead`";

    // One element of the batch needs a name, for the key.
    batch_without_element:
        r#"#[redis_cached(«batch»(ids), ttl = 60, key = "user:<ids>")]
           async fn users(ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "`batch` needs a name for one element of a parameter",
                "write `batch(id in ids)`, where `ids` is the parameter and `<id>` stands in the key"
        r#"#[redis_cached(«batch», ttl = 60, key = "user:<id>")]
           async fn more_users(ids: &[u64]) -> HashMap<u64, String> { load().await }"#
            => "`batch` needs a name for one element of a parameter",
                "write `batch(id in ids)`, where `ids` is the parameter and `<id>` stands in the key";

    // A batch shares the key of the function of one id.
    batch_without_key:
        "#[redis_cached(batch(id in ids), ttl = 60)]
         async fn «users»(ids: &[u64]) -> HashMap<u64, String> { load().await }"
            => "the batch `users` needs a `key`, that of one id",
                r#"write `key = "…:<id>"`, as on the function of one id"#;
}
