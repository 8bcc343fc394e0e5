#[allow(unused_mut)]
/// Says so.
pub(crate) async fn save(
    db: &Db,
    id: u64,
    mut stock: Stock,
    place: Option<String>,
) -> Result<(), DbError> {
    async fn __body(
        db: &Db,
        id: u64,
        mut stock: Stock,
        place: Option<String>,
    ) -> Result<(), DbError> {
        stock.settle();
        db.save(id, stock, place).await
    }
    const __STORED: (
        other::path::__private::Stored<(u64, Stock, Option<String>)>,
        other::path::__private::Stored<Stock>,
    ) = {
        const fn __stored<
            __T0: other::path::__private::Storable,
            __T1: other::path::__private::Storable,
            __T2: other::path::__private::Storable,
        >() -> (
            other::path::__private::Stored<(__T0, __T1, __T2)>,
            other::path::__private::Stored<__T1>,
        ) {
            (other::path::__private::Stored::of(), other::path::__private::Stored::of())
        }
        __stored::<u64, Stock, Option<String>>()
    };
    fn __apply(
        __call: other::path::__private::Applying,
    ) -> other::path::__private::Boxed<'static, other::path::__private::Applied> {
        ::std::boxed::Box::pin(async move {
            let other::path::__private::Some((id, stock, place)) = other::path::__private::Applying::arguments(
                &__call,
                &__STORED.0,
            ) else {
                return other::path::__private::Applied::Unreadable;
            };
            let other::path::__private::Some(db) = other::path::__private::Applying::provided::<
                Db,
            >(&__call) else {
                return other::path::__private::Applied::Failed;
            };
            let __result = __body(&db, id, stock, place).await;
            <Result<
                (),
                DbError,
            > as other::path::__private::Acceptance>::applied(&__result)
        })
    }
    fn __needs() -> ::std::vec::Vec<other::path::__private::Need> {
        ::std::vec![other::path::__private::Need::of:: < Db > ()]
    }
    let __behind = {
        static __CACHED_REDIS_WRITE_BEHIND: other::path::__private::WriteBehind = other::path::__private::WriteBehind::new(
            other::path::__private::FunctionInfo {
                path: ::core::concat!(::core::module_path!(), "::", "save"),
                file: ::core::file!(),
                line: ::core::line!(),
                template: "{stock}:<id>:<place:?>",
                tags: &[],
                versioned: false,
                default_key: false,
                parameters: &[
                    ("db", "&Db"),
                    ("id", "u64"),
                    ("stock", "Stock"),
                    ("place", "Option<String>"),
                ],
                value: "Stock",
                generic: false,
                bound: true,
                policy: other::path::__private::Policy::new(),
                codec: other::path::__private::None,
                definition: other::path::__private::definition(&|| {}),
            },
            &["{stock}:<id>:<place:?>"],
            other::path::__private::BehindInfo {
                queue: "stock",
                max_queue: 50u64,
                max_lag: other::path::__private::Some(
                    ::core::time::Duration::from_millis(30000u64),
                ),
                coalesce: true,
                apply: __apply,
                needs: __needs,
            },
        );
        other::path::__private::inventory::submit! {
            other::path::__private::Registered::Behind(& __CACHED_REDIS_WRITE_BEHIND)
        }
        &__CACHED_REDIS_WRITE_BEHIND
    };
    let mut __write = {
        let __cache: &other::path::__private::Cache = &CACHE;
        other::path::__private::Behind::on(__behind, __cache)
    };
    other::path::__private::Behind::key(
        &mut __write,
        |__k| {
            use other::path::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("{stock}:");
            (&other::path::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
            __k.text(":");
            __k.debug(&place);
        },
    );
    if other::path::__private::Behind::is_uncached(&__write) {
        return __body(db, id, stock, place).await;
    }
    let __arguments = (id, stock, place);
    let __accepted = other::path::__private::write_behind(
            __write,
            &__arguments,
            &__arguments.1,
            &__STORED,
        )
        .await;
    <Result<(), DbError> as other::path::__private::Acceptance>::acceptance(__accepted)
}
