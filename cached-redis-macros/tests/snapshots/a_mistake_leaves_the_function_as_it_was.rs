::core::compile_error! {
    "`tll` is no option of `#[redis_cached]`\n\nhelp: did you mean `ttl`? it takes `key`, `ttl`, `ttl_with`, `jitter`, `negative_ttl`, `stale_while_revalidate`, `stale_if_error`, `refresh_ahead`, `early_expiry`, `soft_timeout`, `timeout`, `audit`, `compress`, `local`, `checked`, `version`, `tags`, `batch`, `skip`, `codec`, `schema`, `condition`, `unless`, `nested`, `cache`, `policy` and `crate`"
}
::core::compile_error! {
    "`<idd>` names no parameter of `user`\n\nhelp: did you mean `<id>`? its parameters: `id`"
}
async fn user(id: u64) -> User {
    load(id).await
}
