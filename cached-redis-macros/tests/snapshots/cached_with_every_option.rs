/// Documentation is kept.
#[must_use]
pub(crate) async fn search<T: Named, const N: usize>(
    id: u64,
    name: (String,),
    tags: Vec<String>,
    filter: &Filter,
    db: &Db,
) -> Result<Vec<User>, DbError> {
    #![allow(unused)]
    let __function = {
        static __CACHED_REDIS_FUNCTION: facade::cached_redis::__private::Function = facade::cached_redis::__private::Function::new(facade::cached_redis::__private::FunctionInfo {
            path: ::core::concat!(::core::module_path!(), "::", "search"),
            file: ::core::file!(),
            line: ::core::line!(),
            template: "user:<id>:<name.0>:<tags:?>:<filter:hash>:<T>:<N>",
            tags: &[],
            versioned: false,
            default_key: false,
            parameters: &[
                ("id", "u64"),
                ("name", "(String, )"),
                ("tags", "Vec<String>"),
                ("filter", "&Filter"),
                ("db", "&Db"),
            ],
            value: "Result<Vec<User>, DbError>",
            generic: true,
            bound: true,
            policy: facade::cached_redis::__private::Policy::new()
                .ttl(facade::cached_redis::__private::Duration::from_millis(5400000u64))
                .negative_ttl(
                    facade::cached_redis::__private::checked_negative_ttl(
                        facade::cached_redis::__private::Written(self::NEGATIVE)
                            .__cached_redis_time(),
                    ),
                )
                .compress(facade::cached_redis::__private::checked_compress(4096u64))
                .jitter(facade::cached_redis::__private::Jitter::around(0.05))
                .named("hot"),
            codec: facade::cached_redis::__private::Some("msgpack"),
            definition: facade::cached_redis::__private::definition(&|| {}),
        });
        facade::cached_redis::__private::inventory::submit! {
            facade::cached_redis::__private::Registered::Cached(&
            __CACHED_REDIS_FUNCTION)
        }
        &__CACHED_REDIS_FUNCTION
    };
    let __call = {
        let mut __call = {
            let __cache: &facade::cached_redis::__private::Cache = &db.cache;
            facade::cached_redis::__private::Call::on(
                __function,
                facade::cached_redis::__private::Instance::of(&|| {}, const { &[] }),
                __cache,
            )
        }
            .only_if(id > 0);
        facade::cached_redis::__private::Call::key(
            &mut __call,
            |__k| {
                use facade::cached_redis::__private::part::{
                    ByDisplay as _, ByNumber as _, ByOption as _,
                };
                __k.text("user:");
                (&facade::cached_redis::__private::part::Probe(&id))
                    .__cached_redis_part()
                    .write(&id, __k);
                __k.text(":");
                (&facade::cached_redis::__private::part::Probe(&name.0))
                    .__cached_redis_part()
                    .write(&name.0, __k);
                __k.text(":");
                __k.debug(&tags);
                __k.text(":");
                __k.hash(&filter);
                __k.text(":");
                __k.name::<T>();
                __k.text(":");
                __k.display(&N);
            },
        );
        __call
    };
    let __shape = {
        use facade::cached_redis::__private::shape::{ByEqual as _, ByNothing as _};
        use facade::cached_redis::__private::shape::{
            Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _,
        };
        let __shape = (&&&&facade::cached_redis::__private::shape::Probe::<
            Result<Vec<User>, DbError>,
        >::new())
            .__cached_redis_shape();
        facade::cached_redis::__private::shape::Comparing::new(
            __shape,
            (&facade::cached_redis::__private::shape::values(&__shape))
                .__cached_redis_equal(),
        )
    };
    let __shape = {
        use facade::cached_redis::__private::shape::{
            Copies0 as _, Copies1 as _, Copies2 as _, Copies3 as _,
        };
        __shape
            .shared(
                (&&&&facade::cached_redis::__private::shape::copying(&__shape))
                    .__cached_redis_copies(),
            )
    };
    let __errors = {
        use facade::cached_redis::__private::shape::{ErrorsKept as _, ErrorsShared as _};
        (&__shape.errors()).__cached_redis_errors()
    };
    facade::cached_redis::__private::read(
            __call,
            facade::cached_redis::__private::plan(
                __shape,
                __errors,
                facade::cached_redis::__private::codec::Msgpack,
                |result| {
                    let _ = result;
                    facade::cached_redis::__private::verdict::unless(result.is_empty())
                },
            ),
            move || async move {
                if let facade::cached_redis::__private::Some(__never) = facade::cached_redis::__private::None::<
                    Result<Vec<User>, DbError>,
                > {
                    return __never;
                }
                db.search(id).await?
            },
        )
        .await
}
