async fn rename(&self, id: u64, name: &str) {
    let __writer = {
        static __CACHED_REDIS_WRITER: ::cached_redis::__private::Writer = ::cached_redis::__private::Writer::new(::cached_redis::__private::WriterInfo {
            path: ::core::concat!(::core::module_path!(), "::", "rename"),
            file: ::core::file!(),
            line: ::core::line!(),
            targets: &["user:<id>", "team:<self.team>", "user:<id>:*"],
            tags: &[],
            when: ::cached_redis::__private::When::Always,
            bound: true,
            guard: ::cached_redis::__private::None,
            replica_lag: ::cached_redis::__private::None,
            publish: false,
        });
        ::cached_redis::__private::inventory::submit! {
            ::cached_redis::__private::Registered::Writer(& __CACHED_REDIS_WRITER)
        }
        &__CACHED_REDIS_WRITER
    };
    let mut __write = {
        let __cache: &::cached_redis::__private::Cache = &self.cache;
        ::cached_redis::__private::Write::on(__writer, __cache)
    };
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
    ::cached_redis::__private::Write::key(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("team:");
            (&::cached_redis::__private::part::Probe(&self.r#team))
                .__cached_redis_part()
                .write(&self.r#team, __k);
        },
    );
    ::cached_redis::__private::Write::pattern(
        &mut __write,
        |__k| {
            use ::cached_redis::__private::part::{
                ByDisplay as _, ByNumber as _, ByOption as _,
            };
            __k.text("user:");
            (&::cached_redis::__private::part::Probe(&id))
                .__cached_redis_part()
                .write(&id, __k);
            __k.text(":*");
        },
    );
    let __body = async move {
        #[allow(clippy::used_underscore_binding)]
        let _ = (&name, &id, &self);
        if let ::cached_redis::__private::Some(__never) = ::cached_redis::__private::None::<
            (),
        > {
            return __never;
        }
        self.db.rename(id, name).await
    };
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
