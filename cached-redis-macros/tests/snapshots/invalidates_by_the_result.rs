async fn create(team: String) -> Result<User, DbError> {
    let __writer = {
        static __CACHED_REDIS_WRITER: ::cached_redis::__private::Writer = ::cached_redis::__private::Writer::new(::cached_redis::__private::WriterInfo {
            path: ::core::concat!(::core::module_path!(), "::", "create"),
            file: ::core::file!(),
            line: ::core::line!(),
            targets: &[
                "user:<result.id>",
                "team:<team>:<result.id>:x",
                "all",
                "team:<team>:<result.id>:*",
            ],
            tags: &[],
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
            __k.text("all");
        },
    );
    let __fragment0 = ::cached_redis::__private::Write::fragment(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("team:");
            (&::cached_redis::__private::part::Probe(&team))
                .__cached_redis_part()
                .write(&team, __k);
            __k.text(":");
        },
    );
    let __fragment1 = ::cached_redis::__private::Write::fragment(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("team:");
            (&::cached_redis::__private::part::Probe(&team))
                .__cached_redis_part()
                .write(&team, __k);
            __k.text(":");
        },
    );
    let __body = async move {
        #[allow(clippy::used_underscore_binding)]
        let _ = (&team,);
        if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
            Result<User, DbError>,
        > {
            return __never;
        }
        insert(team).await
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
                        ::cached_redis::__private::Write::key(
                            __write,
                            |__k| {
                                {
                                    __k.text("user:");
                                }
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
                        ::cached_redis::__private::Write::key(
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
                                {
                                    __k.text(":x");
                                }
                            },
                        );
                        ::cached_redis::__private::Write::pattern(
                            __write,
                            |__k| {
                                __k.text(&__fragment1);
                                {
                                    use ::cached_redis::__private::part::{
                                        ByDisplay as _, ByNumber as _, ByOption as _,
                                    };
                                    (&::cached_redis::__private::part::Probe(&__value.r#id))
                                        .__cached_redis_part()
                                        .write(&__value.r#id, __k);
                                }
                                {
                                    __k.text(":*");
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
