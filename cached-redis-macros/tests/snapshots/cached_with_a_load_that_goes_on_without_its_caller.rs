async fn price(&self, name: &str, id: u64) -> Result<u64, DbError> {
    let __function = {
        static __CACHED_REDIS_FUNCTION: ::cached_redis::__private::Function = ::cached_redis::__private::Function::new(::cached_redis::__private::FunctionInfo {
            path: ::core::concat!(::core::module_path!(), "::", "price"),
            file: ::core::file!(),
            line: ::core::line!(),
            template: "price:<name>:<id>",
            tags: &[],
            versioned: false,
            default_key: false,
            parameters: &[("name", "&str"), ("id", "u64")],
            value: "Result<u64, DbError>",
            generic: false,
            bound: false,
            policy: ::cached_redis::__private::Policy::new()
                .ttl(::cached_redis::__private::Duration::from_millis(300000u64))
                .stale_while_revalidate(
                    ::cached_redis::__private::Duration::from_millis(3600000u64),
                )
                .stale_if_error(
                    ::cached_redis::__private::checked_window(
                        ::cached_redis::__private::Written(WINDOW).__cached_redis_time(),
                    ),
                )
                .soft_timeout(::cached_redis::__private::Duration::from_millis(100u64))
                .refresh_ahead(0.8)
                .early_expiry(1.0),
            codec: ::cached_redis::__private::None,
            definition: ::cached_redis::__private::definition(&|| {}),
        });
        ::cached_redis::__private::inventory::submit! {
            ::cached_redis::__private::Registered::Cached(& __CACHED_REDIS_FUNCTION)
        }
        &__CACHED_REDIS_FUNCTION
    };
    let __call = {
        let mut __call = ::cached_redis::__private::Call::new(
            __function,
            ::cached_redis::__private::Instance::of(&|| {}, const { &[] }),
        );
        ::cached_redis::__private::Call::key(
            &mut __call,
            |__k| {
                use ::cached_redis::__private::part::{
                    ByDisplay as _, ByNumber as _, ByOption as _,
                };
                __k.text("price:");
                (&::cached_redis::__private::part::Probe(&name))
                    .__cached_redis_part()
                    .write(&name, __k);
                __k.text(":");
                (&::cached_redis::__private::part::Probe(&id))
                    .__cached_redis_part()
                    .write(&id, __k);
            },
        );
        __call
    };
    let __shape = {
        use ::cached_redis::__private::shape::{ByEqual as _, ByNothing as _};
        use ::cached_redis::__private::shape::{
            Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _,
        };
        let __shape = (&&&&::cached_redis::__private::shape::Probe::<
            Result<u64, DbError>,
        >::new())
            .__cached_redis_shape();
        ::cached_redis::__private::shape::Comparing::new(
            __shape,
            (&::cached_redis::__private::shape::values(&__shape)).__cached_redis_equal(),
        )
    };
    let __errors = {
        use ::cached_redis::__private::shape::{ErrorsKept as _, ErrorsShared as _};
        (&__shape.errors()).__cached_redis_errors()
    };
    {
        let __timer = ::cached_redis::__private::Call::timer(
            &__call,
            ::cached_redis::__private::Duration::from_millis(2000u64),
        );
        __timer
            .run(
                ::cached_redis::__private::read_in_background(
                    __call,
                    ::cached_redis::__private::plan(
                        __shape,
                        __errors,
                        ::cached_redis::__private::codec::Default,
                        ::cached_redis::__private::verdict::store,
                    ),
                    move || {
                        let __copy_0 = ::cached_redis::__private::held(self);
                        let __copy_1 = ::cached_redis::__private::held(name);
                        #[allow(unused_mut)]
                        let mut id = ::cached_redis::__private::sent(id);
                        move || async move {
                            #[allow(unused_variables)]
                            let __cached_redis_self = ::cached_redis::__private::Held::get(
                                &__copy_0,
                            );
                            #[allow(unused_variables)]
                            let name = ::cached_redis::__private::Held::get(&__copy_1);
                            if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
                                Result<u64, DbError>,
                            > {
                                return __never;
                            }
                            let factor = self::FACTOR;
                            Ok(factor * __cached_redis_self.db.price(name, id).await?)
                        }
                    },
                ),
            )
            .await
    }
}
