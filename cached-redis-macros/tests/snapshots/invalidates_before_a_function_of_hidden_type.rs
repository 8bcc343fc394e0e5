async fn rows() -> impl Iterator<Item = Row> {
    let __writer = {
        static __CACHED_REDIS_WRITER: ::cached_redis::__private::Writer = ::cached_redis::__private::Writer::new(::cached_redis::__private::WriterInfo {
            path: ::core::concat!(::core::module_path!(), "::", "rows"),
            file: ::core::file!(),
            line: ::core::line!(),
            targets: &["all"],
            tags: &[],
            when: ::cached_redis::__private::When::Before,
            bound: false,
            guard: ::cached_redis::__private::None,
            replica_lag: ::cached_redis::__private::None,
            publish: false,
        });
        ::cached_redis::__private::inventory::submit! {
            ::cached_redis::__private::Registered::Writer(& __CACHED_REDIS_WRITER)
        }
        &__CACHED_REDIS_WRITER
    };
    let mut __write = ::cached_redis::__private::Write::new(__writer);
    ::cached_redis::__private::Write::key(
        &mut __write,
        |__k| {
            __k.text("all");
        },
    );
    let __body = async move { std::iter::empty() };
    ::cached_redis::__private::Write::before(&mut __write).await;
    ::cached_redis::__private::Write::run(
            __write,
            __body,
            |__write, __result| {
                use ::cached_redis::__private::outcome::{ByAny as _, ByResult as _};
                match (&::cached_redis::__private::outcome::Probe(__result))
                    .__cached_redis_ok()
                {
                    ::cached_redis::__private::Some(_) => true,
                    ::cached_redis::__private::None => false,
                }
            },
        )
        .await
}
