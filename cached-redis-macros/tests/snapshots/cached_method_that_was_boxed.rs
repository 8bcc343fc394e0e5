fn item<'life0, 'async_trait>(
    &'life0 self,
    __arg1: (u64, u64),
    id: u64,
    __arg3: u8,
) -> ::core::pin::Pin<
    Box<
        dyn ::core::future::Future<
            Output = Option<Item>,
        > + ::core::marker::Send + 'async_trait,
    >,
>
where
    'life0: 'async_trait,
    Self: 'async_trait,
{
    Box::pin(async move {
        let (a, _) = {
            let __arg1 = __arg1;
            __arg1
        };
        let mut id = id;
        let __arg3 = __arg3;
        let __function = {
            static __CACHED_REDIS_FUNCTION: ::cached_redis::__private::Function = ::cached_redis::__private::Function::new(::cached_redis::__private::FunctionInfo {
                path: ::core::concat!(::core::module_path!(), "::", "item"),
                file: ::core::file!(),
                line: ::core::line!(),
                template: "item:<self.shop>:<a>:<id>",
                tags: &[],
                versioned: false,
                default_key: false,
                parameters: &[("__arg1", "(u64, u64)"), ("id", "u64"), ("__arg3", "u8")],
                value: "Option<Item>",
                generic: false,
                bound: false,
                policy: ::cached_redis::__private::Policy::new()
                    .ttl(
                        ::cached_redis::__private::checked_ttl(
                            ::cached_redis::__private::Written(DAY).__cached_redis_time(),
                        ),
                    ),
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
                    __k.text("item:");
                    (&::cached_redis::__private::part::Probe(&self.r#shop))
                        .__cached_redis_part()
                        .write(&self.r#shop, __k);
                    __k.text(":");
                    (&::cached_redis::__private::part::Probe(&a))
                        .__cached_redis_part()
                        .write(&a, __k);
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
                Option<Item>,
            >::new())
                .__cached_redis_shape();
            ::cached_redis::__private::shape::Comparing::new(
                __shape,
                (&::cached_redis::__private::shape::values(&__shape))
                    .__cached_redis_equal(),
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
                        Option<Item>,
                    > {
                        return __never;
                    }
                    if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<
                        Option<Item>,
                    > {
                        return __ret;
                    }
                    let __self = self;
                    let __ret: Option<Item> = {
                        id += a;
                        __self.find(id).await
                    };
                    __ret
                },
            )
            .await
    })
}
