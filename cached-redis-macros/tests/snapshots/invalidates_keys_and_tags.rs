async fn rename(id: u64, team: String) -> Result<User, DbError> {
    let __writer = {
        static __CACHED_REDIS_WRITER: ::cached_redis::__private::Writer = ::cached_redis::__private::Writer::new(::cached_redis::__private::WriterInfo {
            path: ::core::concat!(::core::module_path!(), "::", "rename"),
            file: ::core::file!(),
            line: ::core::line!(),
            targets: &["user:<id>"],
            tags: &["team:<team>", "user:<id>:<result.id>"],
            when: ::cached_redis::__private::When::Ok,
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
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("user:");
            (&::cached_redis::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
        },
    );
    ::cached_redis::__private::Write::tag(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("team:");
            (&::cached_redis::__private::part::Probe(&team))
                .__cached_redis_part()
                .write(&team, __k);
        },
    );
    let __fragment0 = ::cached_redis::__private::Write::fragment(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("user:");
            (&::cached_redis::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
            __k.text(":");
        },
    );
    let __body = async move {
        #[allow(clippy::used_underscore_binding)]
        let _ = (&team, &id);
        if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
            Result<User, DbError>,
        > {
            return __never;
        }
        store(id, team).await
    };
    ::cached_redis::__private::Write::run(
            __write,
            __body,
            |__write, __result| {
                use ::cached_redis::__private::outcome::{ByAny as _, ByResult as _};
                match (&::cached_redis::__private::outcome::Probe(__result))
                    .__cached_redis_ok()
                {
                    ::cached_redis::__private::Some(__value) => {
                        ::cached_redis::__private::Write::tag(
                            __write,
                            |__k| {
                                __k.text(&__fragment0);
                                {
                                    use ::cached_redis::__private::part::{
                                        ByDisplay as _, ByNumber as _, ByOption as _,
                                    };
                                    (&::cached_redis::__private::part::Probe(&__value.r#id))
                                        .__cached_redis_part()
                                        .write(&__value.r#id, __k);
                                }
                            },
                        );
                        true
                    }
                    ::cached_redis::__private::None => false,
                }
            },
        )
        .await
}
