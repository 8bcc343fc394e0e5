//! Which keys and tags of the program meet, as the catalogue sees it: by their formats, by what is known
//! of their parameters, and by what is read elsewhere.

use crate::support::World;

/// The functions, some of which miss each other's keys or meet them.
#[allow(
    dead_code,
    unused_variables,
    reason = "the catalogue alone looks at them"
)]
mod keyed {
    use std::fmt;
    use std::sync::Arc;

    use cached_redis::{invalidates, redis_cached, write_through};

    #[redis_cached(ttl = 60, key = "keyed:page:<q:hash>", tags = ["keyed:of:<q:?>"])]
    async fn page(q: &str) -> u64 {
        0
    }

    #[invalidates("keyed:page:<q>", tag = "keyed:of:<q>")]
    async fn drops_another_page(q: &str) {}

    #[invalidates("keyed:page:<q:hash>", "keyed:page:*", tag = "keyed:of:<q:?>")]
    async fn drops_the_page(q: &str) {}

    #[redis_cached(ttl = 60, key = "keyed:page:<n:hash>", tags = ["keyed:of:<n:hash>"])]
    async fn page_of_other_tags(n: &str) -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:debug:<q:?>")]
    async fn debugged(q: &str) -> u64 {
        0
    }

    #[write_through(ttl = 60, key = "keyed:debug:<q>", tags = [])]
    async fn writes_another(q: &str) -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:text:<name>")]
    async fn any_text(name: Option<Arc<str>>) -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:text:latest")]
    async fn latest_text() -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:number:<id>")]
    async fn any_number(id: &u64) -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:number:<id>", batch(id in ids))]
    async fn numbers(ids: &[u64]) -> std::collections::HashMap<u64, u64> {
        ids.iter().map(|id| (*id, 0)).collect()
    }

    #[redis_cached(ttl = 60, key = "keyed:number:latest")]
    async fn latest_number() -> u64 {
        0
    }

    #[invalidates("keyed:number:first", "keyed:number:latest", "keyed:number:<id>")]
    async fn drops_the_first(id: u64) {}

    struct Id;

    impl fmt::Display for Id {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("7")
        }
    }

    #[redis_cached(ttl = 60, key = "keyed:own:<id>")]
    async fn own_id(id: Id) -> u64 {
        0
    }

    // Nobody can know that an `Id` is never `latest`: neither an alarm, nor a target that is useless.
    #[redis_cached(ttl = 60, key = "keyed:own:latest")]
    async fn latest_own() -> u64 {
        0
    }

    #[invalidates("keyed:own:first")]
    async fn drops_the_first_own() {}

    #[redis_cached(ttl = 60, key = "keyed:plain:<id>", tags = ["keyed:plain:<id>"])]
    async fn plain(id: u64) -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:plain:<n:?>", tags = ["keyed:plain:<n:?>"])]
    async fn plain_by_debug(n: u64) -> String {
        n.to_string()
    }

    #[invalidates("keyed:plain:<id:?>", tag = "keyed:plain:<id:?>")]
    async fn drops_the_plain(id: u64) {}

    #[redis_cached(ttl = 60, key = "keyed:flag:<id:?>")]
    async fn flag(id: bool) -> u64 {
        0
    }

    #[invalidates("keyed:flag:<id>", "keyed:flag:<id:hash>")]
    async fn drops_the_flag(id: bool) {}

    #[redis_cached(ttl = 60, key = "keyed:maybe:<id>")]
    async fn maybe_number(id: Option<u64>) -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:maybe:%none")]
    async fn no_number() -> u64 {
        0
    }

    // Neither of these is a number, nor a text.
    #[redis_cached(ttl = 60, key = "keyed:maybe:-1")]
    async fn less_than_no_number() -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:text:50%")]
    async fn half_a_text() -> u64 {
        0
    }

    #[redis_cached(ttl = 60, key = "keyed:many:<ids:?>")]
    async fn many_numbers(ids: &[u64]) -> u64 {
        0
    }

    // A list of numbers is no number.
    #[redis_cached(ttl = 60, key = "keyed:many:0")]
    async fn no_numbers() -> u64 {
        0
    }

    #[invalidates("keyed:abroad:<id>", "keyed:abroad:<id>:items", tag = "keyed:abroad")]
    async fn drops_abroad(id: u64) {}
}

/// Functions that are handed a transaction.
#[allow(
    dead_code,
    unused_variables,
    reason = "the catalogue alone looks at them"
)]
mod in_transactions {
    use std::sync::{Arc, Mutex};

    use cached_redis::{invalidates, redis_cached, write_through};

    struct Sqlite;
    struct Connection;
    struct Transaction<'c, DB>(&'c DB);
    struct DatabaseTransaction;
    struct TransactionId(u64);
    struct BankTransaction(u64);
    struct Booking {
        id: u64,
    }

    mod sqlx {
        pub(super) type PgTransaction = super::Booking;
    }

    mod bank {
        pub(super) type Transaction = super::Booking;
    }

    #[redis_cached(ttl = 60, key = "tx:borrowed:<id>", skip(tx))]
    async fn borrowed(tx: &mut Transaction<'_, Sqlite>, id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "tx:optional:<id>", skip(maybe))]
    async fn optional(maybe: Option<&Arc<Mutex<DatabaseTransaction>>>, id: u64) -> u64 {
        id
    }

    #[write_through(ttl = 60, key = "tx:borrowed:<id>", tags = [])]
    async fn written(tx: self::Transaction<'_, Sqlite>, id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "tx:connection:<id>", skip(db, of))]
    async fn connected(db: &mut Connection, of: TransactionId, id: u64) -> u64 {
        id + of.0
    }

    // One that is part of the key is a thing of the program.
    #[redis_cached(ttl = 60, key = "tx:data:<booked.id>")]
    async fn booked(booked: &bank::Transaction) -> u64 {
        booked.id
    }

    #[redis_cached(ttl = 60, key = "tx:paid:<id>", skip(by, with, all))]
    async fn paid(
        by: &BankTransaction,
        with: bank::Transaction,
        all: &[BankTransaction],
        id: u64,
    ) -> u64 {
        id + by.0 + with.id
    }

    #[redis_cached(ttl = 60, key = "tx:exclusive:<id>", skip(tx))]
    async fn exclusive(tx: &mut bank::Transaction, id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "tx:locked:<id>", skip(tx))]
    async fn locked(tx: Arc<Mutex<bank::Transaction>>, id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "tx:driver:<id>", skip(tx))]
    async fn of_a_driver(tx: &sqlx::PgTransaction, id: u64) -> u64 {
        id
    }

    // It is collected by the scope of the transaction.
    #[invalidates("tx:borrowed:<id>")]
    async fn invalidating(tx: &mut Transaction<'_, Sqlite>, id: u64) {
        let _ = tx.0;
    }
}

async fn problems(module: &str, elsewhere: &[&str]) -> Vec<String> {
    let cache = World::in_memory().cache().await;
    let catalog = cache.catalog().elsewhere(elsewhere.iter().copied());
    let module = format!("{}::{module}::", module_path!());
    let problems = catalog.problems().into_iter().map(|it| it.to_string());
    let mut ours: Vec<_> = problems
        .filter(|text| text.starts_with(&format!("`{module}")))
        .map(|text| text.replace(&module, ""))
        .collect();
    ours.sort();
    ours
}

#[tokio::test]
async fn keys_and_tags_meet_by_their_formats_and_by_what_parameters_can_be() {
    assert_eq!(
        problems("keyed", &["keyed:abroad:*", "keyed:abroad"]).await,
        [
            "`any_text` has keys \"keyed:text:<name>\", and those of `latest_text`, \"keyed:text:latest\", can be the same: give one of the two a prefix of its own",
            "`drops_another_page` invalidates \"keyed:page:<q>\", which matches no cached function; `page` has \"keyed:page:<q:hash>\": write it alike",
            "`drops_another_page` invalidates the tag \"keyed:of:<q>\", which no cached function carries; `page` has \"keyed:of:<q:?>\": write it alike",
            "`drops_the_first` invalidates \"keyed:number:first\", which matches no cached function",
            "`drops_the_flag` invalidates \"keyed:flag:<id:hash>\", which matches no cached function; `flag` has \"keyed:flag:<id:?>\": write it alike",
            "`maybe_number` has keys \"keyed:maybe:<id>\", and those of `no_number`, \"keyed:maybe:%none\", can be the same: give one of the two a prefix of its own",
            "`page` has other tags under \"keyed:page:<q:hash>\" than `page_of_other_tags`: each replaces the other's entries",
            "`plain` keeps `u64` under \"keyed:plain:<id>\", where `plain_by_debug` keeps `String`",
            "`writes_another` writes through to \"keyed:debug:<q>\", which matches no cached function; `debugged` has \"keyed:debug:<q:?>\": write it alike",
        ]
    );
}

#[tokio::test]
async fn what_is_read_by_other_programs_is_exempt() {
    let of_abroad = async |elsewhere: &[&str]| {
        let problems = problems("keyed", elsewhere).await.into_iter();
        problems
            .filter(|it| it.starts_with("`drops_abroad`"))
            .count()
    };
    assert_eq!(of_abroad(&[]).await, 3);
    assert_eq!(of_abroad(&["keyed:abroad:<user>"]).await, 2);
    assert_eq!(of_abroad(&["keyed:abroad:<id:hash>"]).await, 3);
    assert_eq!(of_abroad(&["keyed:abroad:<id>:*", "keyed:abroad"]).await, 1);
    assert_eq!(of_abroad(&["keyed:abroad*"]).await, 0);
}

#[tokio::test]
async fn a_function_that_keeps_what_it_saw_in_a_transaction_is_a_problem_with_a_remedy() {
    let problem = |function: &str, name: &str| {
        format!(
            "`{function}` may keep what is never committed, as it is handed an open transaction, \
             `{name}`: let it take a connection, and call it inside `after_commit()` or with \
             `.uncached()` where that is a transaction's"
        )
    };
    assert_eq!(
        problems("in_transactions", &[]).await,
        [
            problem("borrowed", "tx"),
            problem("exclusive", "tx"),
            problem("locked", "tx"),
            problem("of_a_driver", "tx"),
            problem("optional", "maybe"),
            problem("written", "tx")
        ]
    );
}
