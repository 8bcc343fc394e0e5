use super::*;

fn redis(text: &str) -> RedisAddress {
    match Address::parse(text) {
        Ok(Address::Redis(address)) => address,
        other => panic!("{text} gave {other:?}"),
    }
}

fn plain(host: &str, port: u16) -> Endpoint {
    let (host, tls) = (host.to_owned(), false);
    Endpoint::Tcp { host, port, tls }
}

fn refused(text: &str) -> (AddressProblem, String) {
    match Address::parse(text) {
        Err(error @ Error::Address { problem, .. }) => (problem, format!("{error} {error:?}")),
        other => panic!("{text} gave {other:?}"),
    }
}

#[test]
fn a_url_gives_host_port_database_and_login() {
    let address = redis("redis://ann:s3cr%2Ft@cache.internal:7000/12");
    assert_eq!(address.endpoint, plain("cache.internal", 7000));
    assert_eq!(address.database, 12);
    let login = address.login.unwrap();
    assert_eq!(login.user.as_deref(), Some("ann"));
    assert_eq!(login.password, "s3cr/t");
}

#[test]
fn what_is_left_out_has_its_default() {
    for text in [
        "redis://localhost",
        "redis://localhost/",
        "REDIS://localhost:6379/0",
    ] {
        let address = redis(text);
        assert_eq!(address.endpoint, plain("localhost", 6379));
        assert_eq!(address.database, 0);
        assert!(address.login.is_none());
    }
}

#[test]
fn a_password_may_stand_without_user_and_a_user_without_password() {
    let login = redis("redis://:p+w@h").login.unwrap();
    assert_eq!((login.user.as_deref(), &*login.password), (None, "p+w"));
    let login = redis("redis://ann@h").login.unwrap();
    assert_eq!((login.user.as_deref(), &*login.password), (Some("ann"), ""));
}

#[test]
fn ipv6_hosts_lose_their_brackets() {
    let address = redis("redis://[::1]:7000");
    assert_eq!(address.endpoint, plain("::1", 7000));
    assert_eq!(address.to_string(), "redis://[::1]:7000/0");
}

#[cfg(feature = "tls")]
#[test]
fn a_second_s_asks_for_tls_and_changes_nothing_else() {
    let address = redis("rediss://ann:s3cret@[::1]/2");
    let (host, port, tls) = ("::1".to_owned(), 6379, true);
    assert_eq!(address.endpoint, Endpoint::Tcp { host, port, tls });
    assert_eq!(address.login.as_ref().unwrap().password, "s3cret");
    assert_eq!(address.to_string(), "rediss://[::1]:6379/2");
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_tls_an_address_with_it_is_refused_for_that() {
    let (problem, shown) = refused("rediss://h");
    assert_eq!(problem, AddressProblem::NeedsTls);
    assert!(shown.contains("feature `tls`"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_socket_takes_database_and_login_from_the_query() {
    let address = redis("redis+unix:///run/my%20redis.sock?db=2&user=ann&pass=a+b%26c");
    assert_eq!(
        address.endpoint,
        Endpoint::Unix("/run/my redis.sock".into())
    );
    assert_eq!(address.database, 2);
    let login = address.login.unwrap();
    assert_eq!(
        (login.user.as_deref(), &*login.password),
        (Some("ann"), "a+b&c")
    );
}

#[test]
fn a_valkey_is_named_as_a_redis_is_and_a_socket_without_either() {
    assert_eq!(
        redis("valkey://ann:pw@h:7000/2"),
        redis("redis://ann:pw@h:7000/2")
    );
    #[cfg(feature = "tls")]
    assert_eq!(redis("valkeys://h"), redis("rediss://h"));
    #[cfg(unix)]
    assert_eq!(
        redis("unix:///run/s?db=2"),
        redis("redis+unix:///run/s?db=2")
    );
}

#[test]
fn the_servers_of_a_cluster_have_the_same_login() {
    let Ok(Address::Cluster(address)) =
        Address::parse("redis+cluster://ann:s3c,et@a,b:7000,[::1]:1")
    else {
        panic!("it is one of a cluster");
    };
    let endpoints: Vec<_> = address.seeds.iter().map(|seed| &seed.endpoint).collect();
    let expected = [plain("a", 6379), plain("b", 7000), plain("::1", 1)];
    assert!(endpoints.into_iter().eq(&expected));
    for seed in &address.seeds {
        let login = seed.login.as_ref().unwrap();
        assert_eq!(
            (login.user.as_deref(), &*login.password),
            (Some("ann"), "s3c,et")
        );
    }
    assert_eq!(address.to_string(), "redis+cluster://a:6379,b:7000,[::1]:1");
    assert_eq!(format!("{address:?}"), format!("ClusterAddress({address})"));
}

#[test]
fn sentinels_are_listed_before_the_service_and_the_login_is_that_of_its_servers() {
    let address = redis("redis+sentinel://ann:s3cr%2Ft@a:1,[::1],c/my%2Eshop?db=2");
    let sentinels = [("a", 1), ("::1", 26379), ("c", 26379)];
    let service = Service {
        name: "my.shop".to_owned(),
        sentinels: sentinels.map(|(host, port)| (host.to_owned(), port)).into(),
        tls: false,
    };
    assert_eq!(address.endpoint, Endpoint::Sentinel(service));
    assert_eq!(address.database, 2);
    assert_eq!(address.login.as_ref().unwrap().password, "s3cr/t");
    let shown = "redis+sentinel://a:1,[::1]:26379,c:26379/my.shop?db=2";
    assert_eq!(address.to_string(), shown);
    assert_eq!(redis(shown).endpoint, address.endpoint);
}

#[test]
fn memory_stores_may_have_a_name() {
    let name = None;
    assert_eq!(
        Address::parse("memory://").unwrap(),
        Address::Memory { name }
    );
    let name = Some("Shop_1".to_owned());
    assert_eq!(
        Address::parse("memory://Shop_1").unwrap(),
        Address::Memory { name }
    );
}

#[test]
fn what_cannot_be_used_is_refused_by_kind() {
    use AddressProblem::*;
    for (text, problem) in [
        ("", Empty),
        (" \n", Empty),
        ("localhost:6379", MissingScheme),
        ("127.0.0.1:6379", MissingScheme),
        ("redis:/localhost", MissingScheme),
        ("localhost", MissingScheme),
        ("//localhost", MissingScheme),
        (" redis://h", Blank),
        ("redis://h\n", Blank),
        ("redis://a b", Blank),
        ("\"redis://h\"", Quoted),
        ("'redis://h'", Quoted),
        ("redis://h\"", Quoted),
        ("redis://h:port", Malformed),
        ("redis://h:70000", Malformed),
        ("redis://h:0", Malformed),
        ("redis://h/0#x", Malformed),
        ("redis://:%ff@h", Malformed),
        ("memory://name/path", Malformed),
        ("memory://ann@name", Malformed),
        ("redis+unix://host/path", Malformed),
        ("http://h", UnknownScheme),
        ("://h", UnknownScheme),
        ("redis+cluster://", MissingHost),
        ("redis+cluster://a,,b", MissingHost),
        ("redis+cluster://a,b:port", Malformed),
        ("redis+cluster://a,b/1", ClusterDatabase),
        ("redis+cluster://a,b?c=d", Query),
        ("redis+sentinel://a:1,b:2", MissingService),
        ("redis+sentinel://a:1,b:2/", MissingService),
        ("redis+sentinel://a/shop/0", MissingService),
        ("redis+sentinel://a,,b/shop", MissingHost),
        ("redis+sentinel:///shop", MissingHost),
        ("redis+sentinel://a:1,b:x/shop", Malformed),
        ("redis+sentinel://a/shop#x", Malformed),
        ("redis+sentinel://a/shop?db=x", Database),
        ("redis+sentinel://a/shop?pass=x", Query),
        ("redis://", MissingHost),
        ("redis:///0", MissingHost),
        ("redis://ann:pw@", MissingHost),
        ("redis+unix://", MissingPath),
        ("redis+unix:///", MissingPath),
        ("redis://h/one", Database),
        ("redis://h/+1", Database),
        ("redis://h/1/2", Database),
        ("redis+unix:///s?db=x", Database),
        ("redis://h?protocol=resp3", Query),
        ("redis+unix:///s?db=1&db=2", Query),
        ("redis+unix:///s?password=x", Query),
    ] {
        assert_eq!(refused(text).0, problem, "{text}");
    }
}

#[test]
fn nothing_shows_a_password() {
    for text in [
        "http://ann:s3cret@h",
        "rediss://ann:s3cret@h:1/zero",
        "redis://ann:s3cret@h:port",
        "redis://ann:s3cret@h/one",
        "redis://ann:s3cret@",
        "redis://:s3cret",
        "redis://ann:s3cret/0",
        "redis://:x@y/s3cret@h:port",
        "redis://:x?s3cret@h:port",
        "redis://:x#s3cret@h:port",
        "redis://:x?y@s3cret@h:port",
        "redis://h?pass=s3cret",
        "redis+unix:///path?pass=a@s3cret&db=x",
        "redis+unix:///path?pass=s3cret&db=x",
        "redis+cluster://ann:s3cret@a:1,b:2/3",
        "redis+sentinel://ann:s3cret@a:1,b:2",
        "redis+sentinel://ann:s3cret@a:1,b:x/shop",
        "ann:s3cret@h:6379",
        "ann:s3cret",
        "s3cret:6379",
        "\"redis://ann:s3cret@h\"",
        " redis://ann:s3cret@h",
        "redis://ann:s3cret @h",
        "s3cret",
        "s3cret://h",
    ] {
        let (_, shown) = refused(text);
        assert!(
            !shown.contains("s3cret") && !shown.contains("ann"),
            "{shown}"
        );
    }
    let address = Address::parse("redis://ann:s3cret@h:1/2").unwrap();
    assert_eq!(format!("{address:?}"), "Redis(RedisAddress(redis://h:1/2))");
}

#[test]
fn a_refusal_shows_where_it_was_to_connect() {
    let (_, shown) = refused("redis://ann:s3cret@cache.internal:70000/1");
    assert!(shown.contains("redis://cache.internal:70000/1"), "{shown}");
    for host in [
        "127.0.0.1:6379",
        "localhost:6379",
        "localhost",
        "[::1]:6379",
    ] {
        let (_, shown) = refused(host);
        assert!(
            shown.contains(host) && shown.contains("redis://host:port"),
            "{shown}"
        );
    }
    let (_, shown) = refused("redis+cluster://a:1,b:2/3");
    assert!(shown.contains("redis+cluster://a:1,b:2"), "{shown}");
}
