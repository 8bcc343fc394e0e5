#[allow(unused_mut)]
async fn users(
    &self,
    db: &Db,
    mut tenant: String,
    ids: &[u64],
) -> Result<HashMap<u64, User>, DbError> {
    let __function = {
        static __CACHED_REDIS_FUNCTION: ::cached_redis::__private::Function = ::cached_redis::__private::Function::new(::cached_redis::__private::FunctionInfo {
            path: ::core::concat!(::core::module_path!(), "::", "users"),
            file: ::core::file!(),
            line: ::core::line!(),
            template: "user:<tenant>:<id>",
            tags: &[],
            versioned: false,
            default_key: false,
            parameters: &[("db", "&Db"), ("tenant", "String"), ("id", "u64")],
            value: "User",
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
    let __call = ::cached_redis::__private::Call::new(
        __function,
        ::cached_redis::__private::Instance::of(&|| {}, const { &[] }),
    );
    let __batch = __call
        .batch(
            ids.to_vec(),
            |__k, #[allow(unused_variables)] id| {
                use ::cached_redis::__private::part::{
                    ByDisplay as _, ByNumber as _, ByOption as _,
                };
                __k.text("user:");
                (&::cached_redis::__private::part::Probe(&tenant))
                    .__cached_redis_part()
                    .write(&tenant, __k);
                __k.text(":");
                (&::cached_redis::__private::part::Probe(&id))
                    .__cached_redis_part()
                    .write(&id, __k);
            },
        );
    let __shape = {
        use ::cached_redis::__private::shape::{ByEqual as _, ByNothing as _};
        use ::cached_redis::__private::shape::{
            Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _,
        };
        let __shape = (&&&&::cached_redis::__private::shape::Probe::<
            Result<HashMap<u64, User>, DbError>,
        >::new())
            .__cached_redis_shape();
        ::cached_redis::__private::shape::Comparing::new(
            __shape,
            (&::cached_redis::__private::shape::values(&__shape)).__cached_redis_equal(),
        )
    };
    let __each = {
        use ::cached_redis::__private::shape::{
            ByEqual as _, ByNothing as _, EachPointed as _, EachWhole as _,
        };
        let __form = (&__shape.each()).__cached_redis_form();
        ::cached_redis::__private::Each::new(
            __shape,
            __form,
            (&::cached_redis::__private::shape::each(&__shape, &__form))
                .__cached_redis_equal(),
        )
    };
    let __errors = {
        use ::cached_redis::__private::shape::{ErrorsKept as _, ErrorsShared as _};
        (&__shape.errors()).__cached_redis_errors()
    };
    ::cached_redis::__private::read_batch(
            __batch,
            ::cached_redis::__private::batch_plan(
                __each,
                __errors,
                ::cached_redis::__private::codec::Default,
                |result| {
                    let _ = result;
                    ::cached_redis::__private::verdict::unless(result.banned)
                },
            ),
            move |__missing| {
                #[allow(unused_mut, unused_variables)]
                let mut db = ::cached_redis::__private::copy(&db);
                #[allow(unused_mut, unused_variables)]
                let mut tenant = ::cached_redis::__private::copy(&tenant);
                async move {
                    #[allow(unused_mut, unused_variables)]
                    let mut ids = &__missing[..];
                    if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
                        Result<HashMap<u64, User>, DbError>,
                    > {
                        return __never;
                    }
                    db.users(&tenant, ids).await
                }
            },
        )
        .await
}
