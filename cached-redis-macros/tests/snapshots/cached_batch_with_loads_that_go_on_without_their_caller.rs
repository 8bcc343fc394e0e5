async fn users(&self, db: &Db, tenant: String, ids: &[u64]) -> HashMap<u64, User> {
    let __function = {
        static __CACHED_REDIS_FUNCTION: ::cached_redis::__private::Function = ::cached_redis::__private::Function::new(::cached_redis::__private::FunctionInfo {
            path: ::core::concat!(::core::module_path!(), "::", "users"),
            file: ::core::file!(),
            line: ::core::line!(),
            template: "user:<tenant>:<id>",
            tags: &["team:<id>"],
            versioned: true,
            default_key: false,
            parameters: &[("db", "&Db"), ("tenant", "String"), ("id", "u64")],
            value: "User",
            generic: false,
            bound: false,
            policy: ::cached_redis::__private::Policy::new()
                .ttl(::cached_redis::__private::Duration::from_millis(300000u64))
                .refresh_ahead(0.8),
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
    let mut __batch = __call
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
    ::cached_redis::__private::Batch::tag(
        &mut __batch,
        |__k, #[allow(unused_variables)] id| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("team:");
            (&::cached_redis::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
        },
    );
    if ::cached_redis::__private::Batch::asks(&__batch) {
        let __versions = ::cached_redis::__private::join_all(
                ::cached_redis::__private::Batch::ids(&__batch)
                    .iter()
                    .map(|id| {
                        let id = ::core::clone::Clone::clone(id);
                        revision(
                            ::core::clone::Clone::clone(&db),
                            ::core::clone::Clone::clone(&tenant),
                            ::core::clone::Clone::clone(&id),
                        )
                    }),
            )
            .await;
        use ::cached_redis::__private::outcome::{ByAny as _, ByResult as _};
        let __versions = __versions
            .iter()
            .map(|__version| {
                let __version = (&::cached_redis::__private::outcome::Probe(__version))
                    .__cached_redis_ok();
                __version.map(::cached_redis::__private::source_version)
            });
        ::cached_redis::__private::Batch::versions(&mut __batch, __versions);
    }
    let __shape = {
        use ::cached_redis::__private::shape::{ByEqual as _, ByNothing as _};
        use ::cached_redis::__private::shape::{
            Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _,
        };
        let __shape = (&&&&::cached_redis::__private::shape::Probe::<
            HashMap<u64, User>,
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
    ::cached_redis::__private::read_batch_in_background(
            __batch,
            ::cached_redis::__private::batch_plan(
                __each,
                __errors,
                ::cached_redis::__private::codec::Default,
                ::cached_redis::__private::verdict::store,
            ),
            move || {
                let __copy_0 = ::cached_redis::__private::held(self);
                let __copy_1 = ::cached_redis::__private::held(db);
                #[allow(unused_mut)]
                let mut tenant = ::cached_redis::__private::sent(
                    ::cached_redis::__private::copy(&tenant),
                );
                move |__missing| async move {
                    #[allow(unused_mut, unused_variables)]
                    let mut ids = &__missing[..];
                    #[allow(unused_variables)]
                    let __cached_redis_self = ::cached_redis::__private::Held::get(
                        &__copy_0,
                    );
                    #[allow(unused_variables)]
                    let db = ::cached_redis::__private::Held::get(&__copy_1);
                    if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
                        HashMap<u64, User>,
                    > {
                        return __never;
                    }
                    __cached_redis_self.of(db, &tenant, ids).await
                }
            },
        )
        .await
}
