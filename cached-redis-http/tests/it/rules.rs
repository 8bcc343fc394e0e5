//! The table of the crate's page, and the cases of RFC 9110 and 9111.

use std::sync::atomic::Ordering::Relaxed;

use cached_redis::{CachedExt as _, Status};

use crate::world::{MINUTE, World, article, layer, old, set_cookie};

const NO_CACHE: Option<&str> = Some("private, no-cache");

#[tokio::test]
async fn a_response_has_a_weak_tag_and_the_browser_has_to_ask() {
    let world = World::new().await;
    for status in ["a load", "a hit"] {
        let seen = world.get("/article/1").await;
        assert_eq!(seen.status, 200, "{status}");
        let etag = seen.etag();
        assert!(etag.starts_with("W/\"") && etag.len() == 36, "{etag}");
        assert_eq!(seen.header("cache-control"), NO_CACHE);
        assert_eq!(seen.header("vary"), Some("authorization, cookie"));
    }
}

#[tokio::test]
async fn if_none_match_is_compared_as_rfc_9110_says() {
    let world = World::new().await;
    let etag = world.get("/article/1").await.etag().to_owned();
    let strong = etag.strip_prefix("W/").unwrap().to_owned();
    let bare = strong.trim_matches('"').to_owned();
    for (asked, status) in [
        (etag.clone(), 304),
        (strong.clone(), 304), // weak comparison
        ("*".to_owned(), 304),
        (format!("\"a\", {etag}"), 304),
        (format!("\"a\",W/\"b\" ,\t{strong} , \"c\""), 304),
        (format!("\"a,b\", {etag}"), 304),
        (format!("\"{bare}x\""), 200),
        (format!("\"a,{bare}\""), 200),
        ("W/\"other\"".to_owned(), 200),
        (bare.clone(), 200),
        (String::new(), 200),
        (format!("\"{bare}-gzip\""), 200),
        ("\"unfinished".to_owned(), 200),
    ] {
        for method in ["GET", "HEAD"] {
            let headers = [("if-none-match", &*asked)];
            let seen = world.send(method, "/article/1", &headers).await;
            assert_eq!(seen.status, status, "{method} {asked}");
            assert_eq!(seen.etag(), etag, "{method} {asked}");
        }
    }
    let two = [("if-none-match", "\"a\""), ("if-none-match", &*etag)];
    assert_eq!(world.send("GET", "/article/1", &two).await.status, 304);
}

#[tokio::test]
async fn other_conditions_and_methods_are_the_handlers() {
    let world = World::new().await;
    let etag = world.get("/article/1").await.etag().to_owned();
    let asked = ("if-none-match", &*etag);
    for (other, status) in [
        (("if-modified-since", "Sat, 29 Oct 1994 19:43:31 GMT"), 304), // of no account beside tags
        (("range", "bytes=0-1"), 304),
        (("if-match", &*etag), 200), // never true of a weak tag
        (
            ("if-unmodified-since", "Sat, 29 Oct 2094 19:43:31 GMT"),
            200,
        ),
    ] {
        let seen = world.send("GET", "/article/1", &[asked, other]).await;
        assert_eq!(seen.status, status, "{other:?}");
    }
    let posted = world.send("POST", "/article/1", &[asked]).await;
    assert_eq!((posted.status, posted.header("etag")), (200, None));
    assert_eq!(posted.header("cache-control"), None);
}

#[tokio::test]
async fn a_304_has_the_headers_of_its_200_without_those_of_a_body() {
    let world = World::new().await;
    let whole = world.get("/article/1").await;
    let seen = world.ask("/article/1", whole.etag()).await;
    assert_eq!((seen.status, seen.body.len()), (304, 0));
    for name in ["etag", "cache-control", "vary", "content-location", "x-own"] {
        assert_eq!(seen.header(name), whole.header(name), "{name}");
        assert!(seen.header(name).is_some(), "{name}");
    }
    for name in ["content-type", "last-modified"] {
        assert!(whole.header(name).is_some(), "{name}");
        assert_eq!(seen.header(name), None, "{name}");
    }
    let unknown = world.send("HEAD", "/article/1", &[]).await;
    assert_eq!(unknown.etag(), whole.etag());
    assert_eq!(unknown.body.len(), 0);
}

#[tokio::test]
async fn what_has_no_tag_is_kept_by_nobody() {
    let world = World::new().await;
    for (path, why) in [
        ("/nothing/1", "nothing was read"),
        ("/article/1000", "an error"),
        ("/uncached/2", "a bypass, beside a hit"),
        ("/unkept/1", "a result that is not kept"),
        ("/failing/1", "a load that failed"),
        ("/changing/1", "one key that gave two values"),
        ("/get/1", "an entry that is not there"),
        ("/stream/1", "a body that is not complete"),
        ("/told/1", "the same, with its length"),
        (&set_cookie(), "a cookie"),
        ("/with/vary/*", "it varies with anything"),
        ("/with/vary/accept,_*", "the same"),
    ] {
        let asked = world.ask(path, "*").await;
        assert!(asked.is_not_kept(), "{why}: {asked:?}");
        assert_ne!(asked.status, 304, "{why}");
        // Of a `HEAD` there may be no body that tells it.
        if !["/stream/1", "/told/1"].contains(&path) {
            let head = world.send("HEAD", path, &[]).await;
            assert!(head.is_not_kept(), "{why}: {head:?}");
        }
    }
    let head = world.send("HEAD", "/stream/1", &[]).await;
    assert!(head.is_not_kept(), "{head:?}");
}

#[tokio::test]
async fn what_the_handler_says_itself_stands() {
    let world = World::new().await;
    let own = world.get("/with/etag/\"mine\"").await;
    assert_eq!(
        (own.etag(), own.header("cache-control")),
        ("\"mine\"", None)
    );
    let closed = world.get("/with/cache-control/private,_No-Store").await;
    assert_eq!(closed.header("etag"), None);
    assert_eq!(closed.header("cache-control"), Some("private, No-Store"));
    let open = world.get("/with/cache-control/public,_max-age=9").await;
    assert_eq!(open.header("cache-control"), Some("public, max-age=9"));
    assert!(open.etag().starts_with("W/"));
}

#[tokio::test]
async fn a_tag_is_of_every_header_that_the_response_varies_with() {
    let layer = layer().vary(["accept-language".parse().unwrap()]);
    let world = World::with(layer).await;
    let path = "/with/vary/X-Theme,_cookie";
    let mut tags = Vec::new();
    for headers in [
        &[][..],
        &[("cookie", "session=a")],
        &[("cookie", "session=b")],
        &[("cookie", "")],
        &[("authorization", "Basic YTpi")],
        &[("authorization", "Bearer a")],
        &[("accept-language", "de")],
        &[("x-theme", "dark")],
        &[("x-theme", "dark"), ("x-theme", "blue")],
        &[("x-theme", "dark, blue")],
    ] {
        let seen = world.send("GET", path, headers).await;
        assert_eq!(
            seen.header("vary"),
            Some("accept-language, authorization, cookie, x-theme")
        );
        tags.push(seen.etag().to_owned());
        let other = [headers, &[("user-agent", "any")]].concat();
        assert_eq!(
            world.send("GET", path, &other).await.etag(),
            tags[tags.len() - 1]
        );
    }
    let all = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), all);
}

#[tokio::test]
async fn who_has_signed_out_is_never_told_that_the_page_of_before_is_the_same() {
    let world = World::new().await;
    let signed_in = world
        .send("GET", "/article/1", &[("cookie", "session=a")])
        .await;
    let asked = world.ask("/article/1", signed_in.etag()).await;
    assert_eq!(asked.status, 200);
    let other = [("cookie", "session=b"), ("if-none-match", signed_in.etag())];
    assert_eq!(world.send("GET", "/article/1", &other).await.status, 200);
    let same = [("cookie", "session=a"), ("if-none-match", signed_in.etag())];
    assert_eq!(world.send("GET", "/article/1", &same).await.status, 304);
}

#[tokio::test]
async fn a_tag_is_of_the_full_uri() {
    let world = World::new().await;
    let mut tags = Vec::new();
    for (uri, host) in [
        ("/article/1", "a"),
        ("/article/1?", "a"),
        ("/article/1?x=1", "a"),
        ("/article/1", "b"),
        ("/early/1", "a"),
    ] {
        tags.push(
            world
                .send("GET", uri, &[("host", host)])
                .await
                .etag()
                .to_owned(),
        );
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5);
}

#[tokio::test]
async fn equal_data_loaded_anew_keeps_its_tag_and_other_data_does_not() {
    for path in [
        "/article/1",
        "/two/1/2",
        "/many/3",
        "/outer/1",
        "/found/1",
        "/spawned/1",
        "/inside/1",
    ] {
        let world = World::new().await;
        if path == "/found/1" {
            // Its tag is known after the first load.
            assert!(world.get(path).await.is_not_kept());
        }
        let loaded = world.get(path).await.etag().to_owned();
        assert_eq!(world.get(path).await.etag(), loaded, "{path}: a hit");
        let version = version(&world).await;
        world.write(1, "text 1").await;
        assert_eq!(world.ask(path, &loaded).await.status, 304, "{path}");
        assert_ne!(
            self::version(&world).await,
            version,
            "{path}: it was loaded anew"
        );
        world.write(1, "other").await;
        if path != "/found/1" {
            let asked = world.ask(path, &loaded).await;
            assert_eq!(asked.status, 200, "{path}: other data");
            assert_ne!(asked.etag(), loaded);
        }
        world.write(1, "text 1").await;
        assert_eq!(
            world.ask(path, &loaded).await.status,
            304,
            "{path}: and back"
        );
    }
}

/// That of the entry of article 1.
async fn version(world: &World) -> Option<u128> {
    let read = article(&world.db, 1).with_info();
    world.cache.scope(read).await.1.version()
}

#[tokio::test]
async fn the_order_in_which_things_are_read_is_no_matter_and_which_is_which_is() {
    let world = World::new().await;
    world.write(1, "a").await;
    world.write(2, "b").await;
    let tag = world.get("/two/1/2").await.etag().to_owned();
    for _ in 0..20 {
        assert_eq!(world.get("/two/1/2").await.etag(), tag);
    }
    world.write(1, "b").await;
    world.write(2, "a").await;
    assert_ne!(world.get("/two/1/2").await.etag(), tag);
}

#[tokio::test]
async fn a_stale_read_has_a_tag_and_may_not_be_kept_without_asking() {
    let layer = layer().max_age(MINUTE);
    let world = World::with(layer).await;
    let fresh = world.get("/old/1").await;
    // Until the entry says itself that it is past its TTL.
    let left = async || {
        let read = world.cache.scope(old(&world.db, 1).with_info()).await;
        (read.1.status() != Status::Stale).then_some(())
    };
    while left().await.is_some() {
        tokio::time::sleep(MINUTE / 600).await;
    }
    let stale = world.get("/old/1").await;
    assert_eq!(stale.header("cache-control"), NO_CACHE);
    assert_eq!(stale.etag(), fresh.etag());
}

#[tokio::test]
async fn max_age_is_on_request_private_and_no_longer_than_what_was_read_lives() {
    let seconds = |seen: &crate::world::Seen| {
        let control = seen.header("cache-control").unwrap();
        let age = control
            .strip_prefix("private, max-age=")
            .unwrap_or_else(|| panic!("{control}"));
        age.parse::<u64>().unwrap()
    };
    let short = World::with(layer().max_age(MINUTE)).await;
    let whole = short.get("/article/1").await;
    assert_eq!(seconds(&whole), 60);
    assert_eq!(seconds(&short.ask("/article/1", whole.etag()).await), 60);
    let long = World::with(layer().max_age(MINUTE * 60)).await;
    let left = seconds(&long.get("/article/1").await);
    assert!((540..=600).contains(&left), "{left}"); // its TTL of ten minutes, and not the hour
    let none = World::with(layer().max_age(MINUTE / 100)).await;
    assert_eq!(
        none.get("/article/1").await.header("cache-control"),
        NO_CACHE
    );
    let cookie = long.get(&set_cookie()).await;
    assert!(cookie.is_not_kept(), "{cookie:?}");
}

#[tokio::test]
async fn a_handler_that_asks_before_it_renders_renders_nothing_for_a_304() {
    let world = World::new().await;
    let whole = world.get("/early/1").await;
    let renderings = world.db.renderings.load(Relaxed);
    let seen = world.ask("/early/1", whole.etag()).await;
    assert_eq!((seen.status, seen.body.len()), (304, 0));
    for name in ["etag", "cache-control", "vary"] {
        assert_eq!(seen.header(name), whole.header(name), "{name}");
    }
    assert_eq!(world.db.renderings.load(Relaxed), renderings);
    world.write(1, "other").await;
    assert_eq!(world.ask("/early/1", whole.etag()).await.status, 200);
    assert_eq!(world.db.renderings.load(Relaxed), renderings + 1);
    assert!(cached_redis_http::not_modified().is_none()); // no layer around
}
