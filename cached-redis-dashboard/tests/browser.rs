//! The page in a headless Chromium; its pictures are in `target/pictures/`.

#[path = "../../tests/support/browser.rs"]
mod browser;
#[allow(
    dead_code,
    reason = "shared with the tests of the library, which use more of it"
)]
#[path = "../../tests/support/process.rs"]
mod process;
#[path = "../../cached-redis/src/store/redis/server/program.rs"]
mod program;
#[allow(dead_code, reason = "as above")]
#[path = "../../tests/support/server.rs"]
mod server;
#[path = "../examples/dashboard/shop.rs"]
mod shop;

use std::time::Duration;

use axum::Router;
use browser::{Browser, Look};
use cached_redis::{Cache, Policy};
use cached_redis_dashboard::{Action, Dashboard};
use process::signal;
use serde_json::json;
use server::RedisServer;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// A shop with customers, and its dashboard, in which a key may be invalidated and nothing be cleared.
async fn shop() -> (Cache, String, AbortHandle) {
    shop_at("memory://").await
}

async fn shop_at(url: &str) -> (Cache, String, AbortHandle) {
    let cache = Cache::builder().url(url).namespace("shop").guarded(true);
    let cache = cache.build().await.expect("a cache");
    for customer in 0..12 {
        cache.spawn(shop::visit(customer));
    }
    let dashboard = Dashboard::builder(cache.clone())
        .authorize(|action, _| !matches!(action, Action::Clear { .. }))
        .show_keys(true);
    let dashboard = dashboard.build().expect("nothing is wrong");
    let app = Router::new().nest("/cache", dashboard.into_router());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let served = tokio::spawn(async move { axum::serve(listener, app).await });
    (
        cache,
        format!("http://{address}/cache"),
        served.abort_handle(),
    )
}

/// The browser waits, and the server goes on.
async fn in_browser(steps: impl FnOnce(Browser) -> Browser + Send + 'static) {
    let steps = tokio::task::spawn_blocking(|| {
        let mut browser = steps(Browser::start());
        assert_eq!(browser.complaints(), [""; 0], "the page complains");
    });
    steps.await.expect("the steps in the browser");
}

const WIDE: Look = Look {
    width: 1440,
    height: 900,
    scheme: "light",
};
const DARK: Look = Look {
    scheme: "dark",
    ..WIDE
};

/// Types a key into the form, and waits until it is invalidated.
fn invalidate(browser: &mut Browser, key: &str) {
    browser.eval("document.querySelector('#key').focus()");
    browser.write(key);
    browser.press("Enter");
    browser.until("document.querySelector('#told').textContent.includes('is invalidated')");
}

const READS: &str =
    "(state.now ? state.now.stats.functions.reduce((n, row) => n + reads(row), 0) : 0)";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_numbers_that_move_in_all_its_looks() {
    let (_cache, url, _) = shop().await;
    in_browser(move |mut browser| {
        browser.look(WIDE);
        browser.open(&url);
        browser.until(&format!("{READS} > 0 && state.points.length > 12 && !!document.querySelector('.tile .muted')"));
        let before = browser.eval(READS).as_f64();
        let shown = browser.eval("document.querySelector('.tile .muted').textContent");
        browser.until(&format!("{READS} > {} && document.querySelector('.tile .muted').textContent !== {shown}", before.unwrap_or_default()));
        for (width, height) in [(1440, 900), (390, 844)] {
            for scheme in ["light", "dark"] {
                browser.look(Look { width, height, scheme });
                browser.eval("new Promise(done => { show(); requestAnimationFrame(() => requestAnimationFrame(done)); })");
                let wide = browser.eval("document.documentElement.scrollWidth <= innerWidth");
                assert_eq!(wide, json!(true), "nothing is wider than the page at {width}");
                browser.picture(&format!("dashboard-{width}-{scheme}"));
            }
        }
        browser.look(WIDE);
        browser.eval("toggle('browser::shop::search')");
        browser.picture("dashboard-function");
        browser
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_redis_numbers_move_and_an_action_removes_what_stands_there() {
    let server = RedisServer::start();
    let (cache, url, _) = shop_at(&server.url()).await;
    let policy = Policy::new().ttl(Duration::from_secs(600));
    let stored = cache.put(&policy, "note:1", &"a note".to_owned()).await;
    assert!(stored.expect("the store answers"));
    assert!(server.bytes("shop:note:1").is_some());
    in_browser(move |mut browser| {
        browser.look(WIDE);
        browser.open(&url);
        browser.until(&format!("{READS} > 0"));
        let before = browser.eval(READS).as_f64().unwrap_or_default();
        browser.until(&format!("{READS} > {before}"));
        invalidate(&mut browser, "note:1");
        browser.picture("dashboard-redis");
        browser
    })
    .await;
    assert!(server.bytes("shop:note:1").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_filters_sorts_and_opens() {
    let (_cache, url, _) = shop().await;
    in_browser(move |mut browser| {
        browser.open(&url);
        browser.until("document.querySelectorAll('#rows tr').length > 5");
        browser.press("/");
        browser.until("document.activeElement.id === 'filter'");
        browser.write("exchange");
        browser.until("document.querySelectorAll('#rows tr').length === 1");
        browser.write("<b>");
        browser.until("!document.querySelector('#no-rows').hidden && !document.querySelector('#no-rows b')");
        browser.press("Escape");
        browser.until("document.querySelectorAll('#rows tr').length > 5");
        browser.eval("document.querySelector('[data-column=name] button').focus()");
        browser.press("Enter");
        browser.until("document.querySelector('[data-column=name]').getAttribute('aria-sort') === 'ascending'");
        let first = browser.eval("document.querySelector('#rows .name b').textContent");
        assert_eq!(first, json!("article"));
        browser.eval("document.querySelector('#rows .name').focus()");
        browser.press("Enter");
        browser.until("document.querySelector('#rows .more h3') !== null");
        // It is still there after the next numbers have come.
        browser.until("(window.old ??= state.now) !== state.now && document.activeElement.className === 'name'");
        browser
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_works_and_another_one_is_refused() {
    let (cache, url, _) = shop().await;
    let looked = cache.clone();
    let published = cache.clone();
    in_browser(move |mut browser| {
        browser.look(DARK);
        browser.open(&url);
        browser.until("!document.querySelector('#invalidate').hidden");
        invalidate(&mut browser, "price:<img src=x onerror=alert(1)>");
        let told = browser.eval("document.querySelector('#told').innerHTML");
        assert_eq!(
            told,
            json!("price:&lt;img src=x onerror=alert(1)&gt; is invalidated.")
        );
        browser.until("state.events.some(event => event.kind === 'action')");

        let shadow = "document.querySelector('.act [data-mode=shadow]')";
        browser.eval("toggle('browser::shop::search')");
        browser.eval(&format!("{shadow}.click()"));
        browser.until(&format!("{shadow}.getAttribute('aria-pressed') === 'true'"));
        browser.picture("dashboard-action");

        browser.eval("document.querySelector('.act .danger').click()");
        browser.until("document.querySelector('.act .danger').textContent.includes('Press again')");
        browser.eval("act({ action: 'clear', function: 'search' }, '')");
        browser.until(
            "document.querySelector('#told').textContent === 'Refused: you may not do this.'",
        );
        // The browser itself tells of an answer that is an error; nothing else was said.
        let refusals = browser.complaints().len();
        assert_eq!(refusals, 1, "{:?}", browser.complaints());
        browser.forgive();
        browser
    })
    .await;
    assert_eq!(
        looked.mode("search").expect("a mode"),
        cached_redis::Mode::Shadow
    );
    assert!(published.stats().total().invalidations > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_gone_is_told_of() {
    let (cache, url, served) = shop().await;
    in_browser(move |mut browser| {
        browser.open(&url);
        browser.until("document.querySelector('#live').dataset.state === 'on'");
        served.abort();
        browser.until("(look(), !document.querySelector('#lost').hidden)");
        let verdict = browser.eval("document.querySelector('#verdict-title').textContent");
        assert_eq!(verdict, json!("Not known."));
        browser.look(DARK);
        browser.picture("dashboard-lost");
        browser.forgive();
        browser
    })
    .await;
    drop(cache);
}
