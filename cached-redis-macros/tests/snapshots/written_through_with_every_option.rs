async fn rename(&self, id: u64, name: &str) -> Result<Option<User>, DbError> {
    let __written = {
        static __CACHED_REDIS_WRITE_THROUGH: ::cached_redis::__private::WriteThrough = ::cached_redis::__private::WriteThrough::new(
                ::cached_redis::__private::FunctionInfo {
                    path: ::core::concat!(::core::module_path!(), "::", "rename"),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    template: "user:<self.tenant>:<id>",
                    tags: &["tenant:<self.tenant>", "users"],
                    versioned: false,
                    default_key: false,
                    parameters: &[("id", "u64"), ("name", "&str")],
                    value: "Result<Option<User>, DbError>",
                    generic: false,
                    bound: true,
                    policy: ::cached_redis::__private::Policy::new()
                        .ttl(
                            ::cached_redis::__private::checked_ttl(
                                ::cached_redis::__private::Written(TTL)
                                    .__cached_redis_time(),
                            ),
                        )
                        .negative_ttl(
                            ::cached_redis::__private::Duration::from_millis(0u64),
                        )
                        .compress(
                            ::cached_redis::__private::checked_compress(self::LIMIT),
                        )
                        .jitter(::cached_redis::__private::Jitter::around(0.1))
                        .named("hot"),
                    codec: ::cached_redis::__private::Some("json"),
                    definition: ::cached_redis::__private::definition(&|| {}),
                },
                &["user:<self.tenant>:<id>"],
            )
            .settled();
        ::cached_redis::__private::inventory::submit! {
            ::cached_redis::__private::Registered::Through(&
            __CACHED_REDIS_WRITE_THROUGH)
        }
        &__CACHED_REDIS_WRITE_THROUGH
    };
    let mut __through = {
        let __cache: &::cached_redis::__private::Cache = &self.cache;
        ::cached_redis::__private::Through::on(
            __written,
            ::cached_redis::__private::Instance::of(&|| {}, const { &[] }),
            __cache,
        )
    };
    ::cached_redis::__private::Through::key(
        &mut __through,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("user:");
            (&::cached_redis::__private::part::Probe(&self.r#tenant))
                .__cached_redis_part()
                .write(&self.r#tenant, __k);
            __k.text(":");
            (&::cached_redis::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
        },
    );
    ::cached_redis::__private::Through::tag(
        &mut __through,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("tenant:");
            (&::cached_redis::__private::part::Probe(&self.r#tenant))
                .__cached_redis_part()
                .write(&self.r#tenant, __k);
        },
    );
    ::cached_redis::__private::Through::tag(
        &mut __through,
        |__k| {
            __k.text("users");
        },
    );
    let __shape = {
        use ::cached_redis::__private::shape::{ByEqual as _, ByNothing as _};
        use ::cached_redis::__private::shape::{
            Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _,
        };
        let __shape = (&&&&::cached_redis::__private::shape::Probe::<
            Result<Option<User>, DbError>,
        >::new())
            .__cached_redis_shape();
        ::cached_redis::__private::shape::Comparing::new(
            __shape,
            (&::cached_redis::__private::shape::values(&__shape)).__cached_redis_equal(),
        )
    };
    ::cached_redis::__private::write_through(
            __through,
            ::cached_redis::__private::write_plan(
                __shape,
                ::cached_redis::__private::codec::Json,
                |result| {
                    let _ = result;
                    ::cached_redis::__private::verdict::unless(result.is_none())
                },
            ),
            move || async move {
                #[allow(clippy::used_underscore_binding)]
                let _ = (&name, &id, &self);
                if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
                    Result<Option<User>, DbError>,
                > {
                    return __never;
                }
                self.db.rename(id, name).await?
            },
        )
        .await
}
