//! Requests and answers, without a browser.

use std::time::Duration;

use bytes::Bytes;
use cached_redis::{Cache, Mode, redis_cached};
use cached_redis_dashboard::{ACTION_HEADER, Action, Dashboard, Error};
use http::request::Builder;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::ServiceExt as _;

#[redis_cached(key = "square:<n>", ttl = "1m")]
async fn square(n: u64) -> u64 {
    n * n
}

const KEY: &str = "square:<b>3</b>";

async fn cache() -> Cache {
    let cache = Cache::builder().url("memory://").namespace("core");
    cache.build().await.expect("a cache in memory")
}

async fn with_actions() -> Dashboard {
    let dashboard = Dashboard::builder(cache().await).authorize(|_, _| true);
    dashboard.build().expect("nothing is wrong")
}

fn action() -> Builder {
    let request = Request::post("/api/actions").header("content-type", "application/json");
    request.header("host", "ops:80").header(ACTION_HEADER, "1")
}

async fn ask(dashboard: &Dashboard, request: Builder, body: &Value) -> (StatusCode, Value) {
    let request = request.body(Bytes::from(body.to_string()));
    let answer = dashboard.respond(request.expect("a request")).await;
    let told = serde_json::from_slice(answer.body()).expect("every answer is JSON");
    (answer.status(), told)
}

async fn get(dashboard: &Dashboard, path: &str) -> Response<Bytes> {
    let request = Request::get(path).body(Bytes::new());
    dashboard.respond(request.expect("a request")).await
}

async fn snapshot(dashboard: &Dashboard) -> Value {
    let answer = get(dashboard, "/api/snapshot").await;
    serde_json::from_slice(answer.body()).expect("JSON")
}

fn invalidate() -> Value {
    json!({"action": "invalidate", "key": "square:3"})
}

#[tokio::test]
async fn every_answer_is_neither_kept_nor_framed_nor_guessed_at() {
    let dashboard = Dashboard::new(cache().await);
    for path in [
        "/",
        "/api/snapshot",
        "/api/catalog",
        "/api/actions",
        "/nowhere",
    ] {
        let answer = get(&dashboard, path).await;
        let header = |name: &str| answer.headers()[name].to_str().expect("text");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn the_page_is_one_file_without_anything_from_elsewhere() {
    let page = get(&Dashboard::new(cache().await), "/").await;
    let text = std::str::from_utf8(page.body()).expect("text");
    for outside in [
        "src=",
        "@import",
        "url(",
        "innerHTML",
        "<script src",
        "//cdn",
    ] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert_eq!(text.matches("<script>").count(), 1);
}

#[tokio::test]
async fn numbers_come_as_they_are_counted() {
    let cache = cache().await;
    let dashboard = Dashboard::new(cache.clone());
    for _ in 0..3 {
        cache.scope(square(3)).await;
        cache.flush().await.expect("the fill is answered");
    }
    let answer = get(&dashboard, "/api/snapshot").await;
    let told: Value = serde_json::from_slice(answer.body()).expect("JSON");
    let rows = told["stats"]["functions"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["function"] == "core::square");
    let row = row.expect("its row");
    assert_eq!((&row["hits"], &row["misses"]), (&json!(2), &json!(1)));
    assert_eq!(told["actions"], json!(false));
    let catalog = get(&dashboard, "/api/catalog").await;
    let catalog: Value = serde_json::from_slice(catalog.body()).expect("JSON");
    assert_eq!(catalog["functions"][0]["key"], "square:<n>");
}

#[tokio::test]
async fn events_are_told_once_and_name_keys_only_where_they_may() {
    let cache = cache().await;
    let silent = Dashboard::new(cache.clone());
    let open = Dashboard::builder(cache.clone())
        .show_keys(true)
        .build()
        .expect("nothing is wrong");
    // Both listen once they have been asked, and the events of a store in memory are not lost then.
    let told = async |dashboard: &Dashboard, path: &str| -> Value {
        serde_json::from_slice(get(dashboard, path).await.body()).expect("JSON")
    };
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let published = cache.invalidation().key(KEY).publish().send().await;
    published.expect("it is invalidated");
    for (dashboard, names) in [(&silent, None), (&open, Some(json!([KEY])))] {
        let mut events = told(dashboard, "/api/snapshot").await;
        while events["events"] == json!([]) {
            tokio::task::yield_now().await;
            events = told(dashboard, "/api/snapshot").await;
        }
        let event = &events["events"][0];
        assert_eq!(event["text"], "1 key was invalidated");
        assert_eq!(event.get("names"), names.as_ref());
        let process = events["process"].as_str().expect("a name");
        let seq = &event["seq"];
        let later = told(
            dashboard,
            &format!("/api/snapshot?process={process}&event={seq}"),
        )
        .await;
        assert_eq!(later["events"], json!([]));
        let other = told(
            dashboard,
            &format!("/api/snapshot?process=another&event={seq}"),
        )
        .await;
        assert_eq!(
            other["events"].as_array().map(Vec::len),
            Some(1),
            "of another process"
        );
    }
}

/// Two looks of the task at the counters, and time for the answer of the store.
const LOOKS: Duration = Duration::from_secs(5);

#[test]
fn a_dashboard_goes_on_when_its_runtime_has_ended() {
    let runtime = || {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        let builder = builder.enable_all().start_paused(true);
        builder.build().expect("a runtime")
    };
    let dashboard = runtime().block_on(async { Dashboard::new(cache().await) });
    runtime().block_on(async {
        assert_eq!(snapshot(&dashboard).await["points"], json!([]));
        sleep(LOOKS).await;
        assert_ne!(snapshot(&dashboard).await["points"], json!([]));
    });
}

#[tokio::test(start_paused = true)]
async fn the_store_is_asked_how_full_it_is_only_while_somebody_looks() {
    let cache = cache().await;
    let dashboard = Dashboard::new(cache.clone());
    sleep(LOOKS * 10).await;
    assert_eq!(cache.stats().sample(), None);
    snapshot(&dashboard).await;
    sleep(LOOKS * 3).await;
    assert!(cache.stats().sample().is_some());
}

#[tokio::test]
async fn without_an_authority_nothing_is_changed() {
    let dashboard = Dashboard::new(cache().await);
    let (status, told) = ask(&dashboard, action(), &invalidate()).await;
    assert_eq!(
        (status, &told["error"]),
        (StatusCode::FORBIDDEN, &json!("read_only"))
    );
}

#[tokio::test]
async fn methods_that_do_not_fit_are_told_which_do() {
    let dashboard = with_actions().await;
    for (request, allowed) in [
        (Request::get("/api/actions"), "POST"),
        (Request::delete("/api/actions"), "POST"),
        (Request::post("/api/snapshot"), "GET, HEAD"),
        (Request::post("/"), "GET, HEAD"),
    ] {
        let request = request.body(Bytes::new()).expect("a request");
        let answer = dashboard.respond(request).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], allowed);
    }
}

#[tokio::test]
async fn another_page_cannot_ask_for_an_action() {
    let dashboard = with_actions().await;
    let own = Request::post("/api/actions").header("content-type", "application/json");
    let (status, told) = ask(&dashboard, own.header("host", "ops:80"), &invalidate()).await;
    assert_eq!(
        (status, &told["error"]),
        (StatusCode::FORBIDDEN, &json!("no_action_header"))
    );
    for (name, value) in [
        ("origin", "http://evil"),
        ("origin", "http://ops:81"),
        ("origin", "null"),
        ("origin", "http://ops:80.evil"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ] {
        let (status, told) = ask(&dashboard, action().header(name, value), &invalidate()).await;
        let refused = (StatusCode::FORBIDDEN, &json!("cross_origin"));
        assert_eq!((status, &told["error"]), refused, "{name}: {value}");
    }
    // One right header does not make up for another one that is wrong.
    let forged = action()
        .header("sec-fetch-site", "same-origin")
        .header("origin", "http://evil");
    assert_eq!(
        ask(&dashboard, forged, &invalidate()).await.0,
        StatusCode::FORBIDDEN
    );
    let twice = action()
        .header("origin", "http://ops:80")
        .header("origin", "http://evil");
    assert_eq!(
        ask(&dashboard, twice, &invalidate()).await.0,
        StatusCode::FORBIDDEN
    );
    let own = action()
        .header("sec-fetch-site", "same-origin")
        .header("origin", "http://ops:80");
    assert_eq!(ask(&dashboard, own, &invalidate()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_named_origin_is_the_only_one() {
    let builder = Dashboard::builder(cache().await).authorize(|_, _| true);
    let dashboard = builder
        .origin("https://ops.example.com")
        .build()
        .expect("an origin");
    let named = action().header("origin", "https://ops.example.com");
    assert_eq!(
        ask(&dashboard, named, &invalidate()).await.0,
        StatusCode::OK
    );
    let rebound = action().header("origin", "http://ops:80");
    assert_eq!(
        ask(&dashboard, rebound, &invalidate()).await.0,
        StatusCode::FORBIDDEN
    );
    let wrong = Dashboard::builder(cache().await)
        .origin("ops.example.com/cache")
        .build();
    assert!(matches!(wrong, Err(Error::Origin { .. })));
}

#[tokio::test]
async fn the_authority_decides_by_action_and_request() {
    let dashboard = Dashboard::builder(cache().await).authorize(|action, request| {
        let is_operator = request
            .headers
            .get("x-user")
            .is_some_and(|user| user == "operator");
        is_operator && matches!(action, Action::Invalidate { .. })
    });
    let dashboard = dashboard.build().expect("nothing is wrong");
    let (status, told) = ask(&dashboard, action(), &invalidate()).await;
    assert_eq!(
        (status, &told["error"]),
        (StatusCode::FORBIDDEN, &json!("not_authorized"))
    );
    let operator = || action().header("x-user", "operator");
    assert_eq!(
        ask(&dashboard, operator(), &invalidate()).await.0,
        StatusCode::OK
    );
    let clear = json!({"action": "clear", "function": "square"});
    assert_eq!(
        ask(&dashboard, operator(), &clear).await.0,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn actions_do_what_they_say() {
    let cache = cache().await;
    let dashboard = Dashboard::builder(cache.clone()).authorize(|_, _| true);
    let dashboard = dashboard.build().expect("nothing is wrong");
    for asked in [
        invalidate(),
        json!({"action": "clear", "function": "square"}),
    ] {
        cache.scope(square(3)).await;
        cache.flush().await.expect("the fill is answered");
        assert_eq!(
            cache.get::<u64>("square:3").await.expect("an answer"),
            Some(9)
        );
        let (status, told) = ask(&dashboard, action(), &asked).await;
        assert_eq!((status, told), (StatusCode::OK, json!({"confirmed": true})));
        assert_eq!(
            cache.get::<u64>("square:3").await.expect("an answer"),
            None,
            "{asked}"
        );
    }
    let off = json!({"action": "set_mode", "function": "square", "mode": "off", "minutes": 10});
    assert_eq!(ask(&dashboard, action(), &off).await.0, StatusCode::OK);
    assert_eq!(cache.mode("square").expect("a mode"), Mode::Off);
    let reset = json!({"action": "reset_mode", "function": "square"});
    assert_eq!(ask(&dashboard, action(), &reset).await.0, StatusCode::OK);
    assert_eq!(cache.mode("square").expect("a mode"), Mode::On);
}

#[tokio::test]
async fn what_cannot_be_understood_is_said_to_be_so() {
    let dashboard = with_actions().await;
    for (asked, status, word) in [
        (json!({"action": "invalidate", "key": ""}), 400, "empty"),
        (
            json!({"action": "invalidate", "key": "#tag:x"}),
            400,
            "library's own",
        ),
        (json!({"action": "invalidate"}), 400, "key"),
        (json!({"action": "flushall"}), 400, "flushall"),
        (
            json!({"action": "set_mode", "function": "square", "mode": "maybe", "minutes": 1}),
            400,
            "maybe",
        ),
        (
            json!({"action": "set_mode", "function": "square", "mode": "off", "minutes": 0}),
            400,
            "minutes",
        ),
        (json!({"action": "clear", "function": "cube"}), 404, "cube"),
        (
            json!({"action": "set_mode", "function": "cube", "mode": "off", "minutes": 1}),
            404,
            "cube",
        ),
        (json!("x".repeat(17 * 1024)), 413, "16 KiB"),
    ] {
        let (got, told) = ask(&dashboard, action(), &asked).await;
        let message = told["message"].as_str().unwrap_or_default();
        assert!(
            got.as_u16() == status && message.contains(word),
            "{got} {message}"
        );
    }
    let form = Request::post("/api/actions").header(ACTION_HEADER, "1");
    let (status, _) = ask(
        &dashboard,
        form.header("content-type", "text/plain"),
        &invalidate(),
    )
    .await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn no_key_is_shown_by_debug() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let told = seen.clone();
    let dashboard = Dashboard::builder(cache().await).authorize(move |action, _| {
        *told.lock().expect("no panic") = format!("{action:?}");
        true
    });
    let dashboard = dashboard.build().expect("nothing is wrong");
    ask(&dashboard, action(), &invalidate()).await;
    assert_eq!(*seen.lock().expect("no panic"), "Invalidate { .. }");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_router_answers_wherever_it_is_nested() {
    let dashboard = with_actions().await;
    let router = dashboard.into_router();
    let app = axum::Router::new().nest("/ops/cache", router.clone());
    // A nested router has no slash at its end in axum, and a nested service does.
    let app = app.nest_service("/slash", router);
    for (path, status) in [
        ("/ops/cache", 200),
        ("/ops/cache/api/snapshot", 200),
        ("/slash", 200),
        ("/slash/", 200),
        ("/ops/cache/nowhere", 404),
    ] {
        let request = Request::get(path).body(axum::body::Body::empty());
        let answer = app.clone().oneshot(request.expect("a request")).await;
        assert_eq!(
            answer.expect("an answer").status().as_u16(),
            status,
            "{path}"
        );
    }
    let long = action()
        .uri("/ops/cache/api/actions")
        .body(axum::body::Body::from("x".repeat(17 * 1024)));
    let answer = app
        .oneshot(long.expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
