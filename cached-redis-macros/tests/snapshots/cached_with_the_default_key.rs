async fn price((shop, article): (u64, u64), _: &Db, r#type: Option<&str>) -> u64 {
    let __function = {
        static __CACHED_REDIS_FUNCTION: ::cached_redis::__private::Function = ::cached_redis::__private::Function::new(::cached_redis::__private::FunctionInfo {
            path: ::core::concat!(::core::module_path!(), "::", "price"),
            file: ::core::file!(),
            line: ::core::line!(),
            template: ::core::concat!(
                ::core::module_path!(), "::price:<shop>:<article>:<type>"
            ),
            tags: &[],
            versioned: false,
            default_key: true,
            parameters: &[("type", "Option<&str>")],
            value: "u64",
            generic: false,
            bound: false,
            policy: ::cached_redis::__private::Policy::new()
                .ttl(::cached_redis::__private::Duration::from_millis(300000u64)),
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
                __k.text(::core::module_path!());
                __k.text("::price:");
                (&::cached_redis::__private::part::Probe(&shop))
                    .__cached_redis_part()
                    .write(&shop, __k);
                __k.text(":");
                (&::cached_redis::__private::part::Probe(&article))
                    .__cached_redis_part()
                    .write(&article, __k);
                __k.text(":");
                (&::cached_redis::__private::part::Probe(&r#type))
                    .__cached_redis_part()
                    .write(&r#type, __k);
            },
        );
        __call
    };
    let __shape = {
        use ::cached_redis::__private::shape::{ByEqual as _, ByNothing as _};
        use ::cached_redis::__private::shape::{
            Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _,
        };
        let __shape = (&&&&::cached_redis::__private::shape::Probe::<u64>::new())
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
    ::cached_redis::__private::read(
            __call,
            ::cached_redis::__private::plan(
                __shape,
                __errors,
                ::cached_redis::__private::codec::Default,
                ::cached_redis::__private::verdict::store,
            ),
            move || async move {
                if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
                    u64,
                > {
                    return __never;
                }
                shop + article
            },
        )
        .await
}
