//! Writers under `#[write_behind]`.

use super::refused;

refused! {
    write_behind_without_its_options:
        r#"#[write_behind(key = "{stock}:<id>", value = stock)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`queue` is missing",
                "write a name for the queue of its writes: `queue = \"stock\"`"
        r#"#[write_behind(queue = "stock", value = stock)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`key` is missing",
                "write the key of the function that reads it: `key = \"{stock}:<id>\"`"
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>")]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`value` is missing",
                "name the parameter whose value readers get: `value = stock`";

    write_behind_key_without_its_queue:
        r#"#[write_behind(queue = "stock", key = «"stock:<id>"», value = stock)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "the key does not begin with its queue in braces, `{stock}`",
                "write `key = \"{stock}:…\"`, here and on the functions that read it: so a cluster keeps entry and queue together"
        r#"#[write_behind(queue = "stock", key = «"item:{stock}:<id>"», value = stock)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "the key does not begin with its queue in braces, `{stock}`",
                "write `key = \"{stock}:…\"`, here and on the functions that read it: so a cluster keeps entry and queue together";

    write_behind_queue_of_odd_letters:
        r#"#[write_behind(queue = «"my stock"», key = "{stock}:<id>", value = stock)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "this is no name of a queue",
                "write letters, digits, `_`, `-` and `.`: `queue = \"stock\"`";

    write_behind_value_that_is_no_parameter:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = «stocks»)]
           async fn save(db: &Db, id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "this is no parameter of the function",
                "name the parameter whose value readers get: `id`, `stock`";

    write_behind_value_that_is_borrowed:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = «stock»)]
           async fn save(id: u64, stock: &Stock) -> Result<(), E> { body().await }"#
            => "what readers get is borrowed",
                "take it by value: it is stored, and readers get it until the write is applied";

    write_behind_value_that_may_be_absent:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn save(id: u64, stock: «Option<Stock>») -> Result<(), E> { body().await }"#
            => "readers keep what is inside of an `Option`, and this is the whole",
                "take the value itself: what is pending is always there";

    write_behind_arguments_that_cannot_be_stored:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn save(id: «&str», stock: Stock) -> Result<(), E> { body().await }"#
            => "`id` is borrowed, and a call is stored with what it owns",
                "own it, such as `String` for `&str`; a `&T` is provided by the worker, as a pool of connections"
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn save(id: u64, stock: Stock, «(a, b)»: (u8, u8)) -> Result<(), E> { body().await }"#
            => "each argument is stored, and needs a name",
                "write `name: Type` in the place of each pattern";

    write_behind_of_what_has_no_worker:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn «save»(&self, id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`save` is a method: a worker runs its calls later, by their arguments alone",
                "write a function of types that have a name; what it needs beside its arguments it takes by reference"
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn «save»<T: Clone>(id: u64, stock: T) -> Result<(), E> { body().await }"#
            => "`save` is generic: a worker runs its calls later, by their arguments alone",
                "write a function of types that have a name; what it needs beside its arguments it takes by reference";

    write_behind_that_returns_something:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn save(id: u64, stock: Stock) -> Result<«u64», E> { body().await }"#
            => "the caller goes on before there is such a value",
                "return `Result<(), …>`; what the function finds out, it can store or send"
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
           async fn «save»(id: u64, stock: Stock) { body().await }"#
            => "`save` cannot say that its queue is busy: it returns no `Result<(), …>` that can be named",
                "return `Result<(), E>`, where `E: From<cached_redis::error::Busy>`";

    write_behind_key_of_the_result:
        r#"#[write_behind(queue = "stock", key = «"{stock}:<result>"», value = stock)]
           async fn save(stock: Stock) -> Result<(), E> { body().await }"#
            => "the key is needed before the function runs, when `<result>` is unknown",
                r#"name parameters; for what is known only afterwards: `#[invalidates(…, when = "ok")]`"#;

    write_behind_bound_of_nothing:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock, max_queue = «0»)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`max_queue` is no number of writes",
                "write how many writes may wait, such as `max_queue = 16000`";

    write_behind_lag_of_nothing:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock, max_lag = «0»)]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`max_lag` is less than a millisecond",
                "write seconds (`300`, `0.25`), a string (\"250ms\", \"5m\", \"1h30m\"), or a const `Duration` expression";

    write_behind_options_of_others:
        r#"#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock, «ttl» = 5, «tags» = [])]
           async fn save(id: u64, stock: Stock) -> Result<(), E> { body().await }"#
            => "`ttl` is an option of `#[redis_cached]`, not of `#[write_behind]`",
                "remove it, or put it on a function under `#[redis_cached]`"
            => "`tags` is an option of `#[redis_cached]`, not of `#[write_behind]`",
                "remove it, or put it on a function under `#[redis_cached]`";
}
