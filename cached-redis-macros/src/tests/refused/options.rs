//! Options and their values.

use super::refused;

refused! {
    compress_that_is_no_size:
        r#"#[redis_cached(ttl = 5, compress = «"4 kB"», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`compress` is no number of bytes",
                r#"write a number of bytes (`4096`), a string of `B`, `KiB` or `MiB` ("4 KiB", which is 4,096 bytes), or a const expression of type `u64`"#
        r#"#[redis_cached(ttl = 5, compress = «-1», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`compress` is no number of bytes",
                r#"write a number of bytes (`4096`), a string of `B`, `KiB` or `MiB` ("4 KiB", which is 4,096 bytes), or a const expression of type `u64`"#
        r#"#[redis_cached(ttl = 5, «gzip» = 1, key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`gzip` is no option of `#[redis_cached]`",
                "write `compress = …`";

    huge_ttl:
        r#"#[redis_cached(ttl = «18446744073709552», key = "user:<id>", negative_ttl = «"300000000000d"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`ttl` does not fit into 64 bits of milliseconds",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
            => "`negative_ttl` does not fit into 64 bits of milliseconds",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#;

    jitter_out_of_range:
        r#"#[redis_cached(ttl = 5, jitter = «1.0», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`jitter` is not at least 0 and less than 1",
                r#"write a share of the TTL, such as `0.05`, or `"-5%"` to shorten it only"#;

    local_that_cannot_be_meant:
        r#"#[redis_cached(ttl = 5, local = «"6s"», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`local` is longer than the TTL, and no value is kept longer than its entry",
                r#"write a shorter one, such as `local = "1s"`"#
        r#"#[redis_cached(ttl = 5, local = «0», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`local` is less than a millisecond",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
        r#"#[redis_cached(ttl = 5, local = «1», audit = 1, key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`local` beside `audit = 1`, which asks the source at each hit",
                "write a smaller share, such as `audit = 0.001`, or remove one of them";

    missing_ttl:
        r#"#[redis_cached(key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`ttl` is missing",
                r#"write `ttl = 300`, `ttl = "5m"`, or name a policy: `policy = "…"`"#;

    negative_jitter:
        r#"#[redis_cached(ttl = 5, jitter = «-0.1», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`jitter` is not at least 0 and less than 1",
                r#"write a share of the TTL, such as `0.05`, or `"-5%"` to shorten it only"#;

    option_without_value:
        r#"#[redis_cached(ttl = 5, «key», «skip» = id, codec = «"bincode"», policy = «hot»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`key` needs a value",
                "write `key = …`"
            => "`skip` needs a list of parameters",
                "write `skip(a, b)`"
            => "this is no codec",
                "write `bincode`, `msgpack`, `json`, or the path of your own codec"
            => "`policy` is not given as a string literal",
                r#"write `policy = "…"`"#;

    repeated_option:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", «ttl» = 6)]
           async fn user(id: u64) -> String { load().await }"#
            => "`ttl` is given twice",
                "keep one of them";

    several_mistakes:
        r#"#[redis_cached(ttl = «0», jitter = «2», key = ««"user:<uuid>:<>"»», skip(«db»), «cash» = x)]
           async fn user(id: u64, tenant: u64) -> «&'static str» { load().await }"#
            => "`ttl` is less than a millisecond",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
            => "`jitter` is not at least 0 and less than 1",
                r#"write a share of the TTL, such as `0.05`, or `"-5%"` to shorten it only"#
            => "empty placeholder `<>`",
                "write the parameter's name inside the brackets"
            => "`<uuid>` names no parameter of `user`",
                "its parameters: `id` and `tenant`"
            => "`db` is no parameter of `user`",
                "its parameters: `id` and `tenant`"
            => "`cash` is no option of `#[redis_cached]`",
                "did you mean `cache`? it takes `key`, `ttl`, `ttl_with`, `jitter`, `negative_ttl`, `stale_while_revalidate`, `stale_if_error`, `refresh_ahead`, `early_expiry`, `soft_timeout`, `timeout`, `audit`, `compress`, `local`, `checked`, `version`, `tags`, `batch`, `skip`, `codec`, `schema`, `condition`, `unless`, `nested`, `cache`, `policy` and `crate`"
            => "a cached function cannot return a reference",
                "return an owned value, such as `String` for `&str`";

    soft_timeout_without_window:
        r#"#[redis_cached(ttl = 5, soft_timeout = «1», key = "user:<id>")]
           async fn user(id: u64) -> u64 { load().await }"#
            => "`soft_timeout` without `stale_if_error`: there would be no old value to return",
                "add `stale_if_error = …`, or write `timeout = …` to give the load up with an error"
        r#"#[redis_cached(ttl = 5, stale_while_revalidate = 60, soft_timeout = «1», key = "team:<id>")]
           async fn team(id: u64) -> u64 { load().await }"#
            => "`soft_timeout` without `stale_if_error`: there would be no old value to return",
                "add `stale_if_error = …`, or write `timeout = …` to give the load up with an error";

    stale_load_borrows_mutably:
        r#"#[redis_cached(ttl = 5, stale_while_revalidate = 60, key = "user:<id>", skip(connection))]
           async fn user(connection: «&mut Connection», id: u64) -> u64 { load().await }"#
            => "a load that goes on behind its caller cannot borrow `connection` mutably",
                "pass `connection` by value or behind an `Arc`, or remove `stale_while_revalidate`";

    stale_options_out_of_range:
        r#"#[redis_cached(
               ttl = 5,
               stale_while_revalidate = «-1»,
               stale_if_error = «"soon"»,
               refresh_ahead = «1.0»,
               early_expiry = «0»,
               soft_timeout = «0»,
               timeout = «0.0001»,
               key = "user:<id>"
           )]
           async fn user(id: u64) -> Result<u64, String> { load().await }"#
            => "`stale_while_revalidate` is negative",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
            => "`stale_if_error` is no span of time",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
            => "`refresh_ahead` is not between 0 and 1",
                "write the share of the TTL after which to refresh, such as `0.8`"
            => "`early_expiry` is not more than 0",
                "write XFetch's factor, usually `1.0`"
            => "`soft_timeout` is less than a millisecond",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
            => "`timeout` is less than a millisecond",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
        r#"#[redis_cached(ttl = 5, refresh_ahead = «0», early_expiry = «-1.0», key = "team:<id>")]
           async fn team(id: u64) -> u64 { load().await }"#
            => "`refresh_ahead` is not between 0 and 1",
                "write the share of the TTL after which to refresh, such as `0.8`"
            => "`early_expiry` is not more than 0",
                "write XFetch's factor, usually `1.0`"
        r#"#[redis_cached(ttl = 5, refresh_ahead = «"80%"», early_expiry = «true», key = "shop:<id>")]
           async fn shop(id: u64) -> u64 { load().await }"#
            => "`refresh_ahead` is not between 0 and 1",
                "write the share of the TTL after which to refresh, such as `0.8`"
            => "`early_expiry` is not more than 0",
                "write XFetch's factor, usually `1.0`";

    ttl_of_self:
        r#"#[redis_cached(ttl = «Self::TTL», key = "user:<id>")]
           async fn user(&self, id: u64) -> String { load().await }"#
            => "`ttl` cannot depend on `Self`",
                "name the type, as in `Repository::TTL`, or a constant";

    unknown_option:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", «jiter» = 0.1, «labels» = ["team"])]
           async fn user(id: u64) -> String { load().await }"#
            => "`jiter` is no option of `#[redis_cached]`",
                "did you mean `jitter`? it takes `key`, `ttl`, `ttl_with`, `jitter`, `negative_ttl`, `stale_while_revalidate`, `stale_if_error`, `refresh_ahead`, `early_expiry`, `soft_timeout`, `timeout`, `audit`, `compress`, `local`, `checked`, `version`, `tags`, `batch`, `skip`, `codec`, `schema`, `condition`, `unless`, `nested`, `cache`, `policy` and `crate`"
            => "`labels` is no option of `#[redis_cached]`",
                r#"write `tags = ["team:<team>"]`"#;

    unreadable_arguments:
        r#"#[redis_cached(ttl = «,» key = "user:<id>" «jitter» = 0.1, «=» 5)]
           async fn user(id: u64) -> String { load().await }"#
            => "`ttl` has no readable value: expected an expression",
                "write `ttl = …`"
            => "expected a comma",
                "separate options by commas"
            => "expected an option",
                "write `option = value`, separated by commas";

    unreadable_ttl:
        r#"#[redis_cached(ttl = «"5 minutes"», negative_ttl = «-1», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`ttl` is no span of time",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#
            => "`negative_ttl` is negative",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#;

    version_not_a_path:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", version = «version_of(id)»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`version` is not given as the path of a function",
                "write `version = path::to::it`";

    version_with_a_pattern_argument:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", version = «version_of»)]
           async fn user(id: u64, (_, _): (u64, u64)) -> String { load().await }"#
            => "`version` needs a name for every argument: it is called with the same ones",
                "write `name: Type` in the place of each pattern";

    zero_ttl:
        r#"#[redis_cached(ttl = «0», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "`ttl` is less than a millisecond",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#;

    switch_is_no_bool:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", nested = «"yes"»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`nested` is neither `true` nor `false`",
                "write `nested = false`";

    crate_is_no_path:
        r#"#[redis_cached(ttl = 5, key = "user:<id>", crate = «5»)]
           async fn user(id: u64) -> String { load().await }"#
            => "`crate` is not given as a path",
                "write `crate = path::to::cached_redis`";

    policy_without_a_name:
        r#"#[redis_cached(policy = «""», key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "the policy has no name",
                "write the name given to the builder";

    two_ttls:
        r#"#[redis_cached(ttl = «5», ttl_with = lives_for, key = "user:<id>")]
           async fn user(id: u64) -> String { load().await }"#
            => "both `ttl` and `ttl_with`",
                "remove one of them; `ttl_with` decides for each value";

    // What `#[async_trait]` leaves of a method has bound its arguments for one run already.
    stale_load_under_async_trait:
        r#"#[redis_cached(ttl = 5, early_expiry = «1.0», key = "price:<id>")]
           fn price<'a>(&'a self, id: u64) -> Pin<Box<dyn Future<Output = u64> + Send + 'a>> {
               Box::pin(async move { let __ret: u64 = { id }; __ret })
           }"#
            => "`early_expiry` cannot be used under `#[async_trait]`",
                "write the cached function outside of the trait, and call it from the method";
}
