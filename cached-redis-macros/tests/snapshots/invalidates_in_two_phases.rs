async fn rename(id: u64) {
    let __writer = {
        static __CACHED_REDIS_WRITER: ::cached_redis::__private::Writer = ::cached_redis::__private::Writer::new(::cached_redis::__private::WriterInfo {
                path: ::core::concat!(::core::module_path!(), "::", "rename"),
                file: ::core::file!(),
                line: ::core::line!(),
                targets: &["user:<id>"],
                tags: &[],
                when: ::cached_redis::__private::When::Always,
                bound: false,
                guard: ::cached_redis::__private::Some(
                    ::cached_redis::__private::Guard::Prefer,
                ),
                replica_lag: ::cached_redis::__private::Some(
                    ::cached_redis::__private::Duration::from_millis(2000u64),
                ),
                publish: true,
            })
            .settled();
        ::cached_redis::__private::inventory::submit! {
            ::cached_redis::__private::Registered::Writer(& __CACHED_REDIS_WRITER)
        }
        &__CACHED_REDIS_WRITER
    };
    let mut __write = ::cached_redis::__private::Write::new(__writer);
    ::cached_redis::__private::Write::key(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("user:");
            (&::cached_redis::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
        },
    );
    let __body = async move {
        #[allow(clippy::used_underscore_binding)]
        let _ = (&id,);
        if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
            (),
        > {
            return __never;
        }
        update(id).await
    };
    ::cached_redis::__private::Write::begin(&mut __write).await;
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
