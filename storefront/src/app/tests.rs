//! Requests without a socket, each test with a database and a cache of its own.

use axum::body::{Body, to_bytes};
use axum::http::Response;
use axum_extra::extract::SignedCookieJar;
use axum_extra::extract::cookie::Cookie;
use tower::ServiceExt as _;

use super::*;
use crate::db::{self, Scratch};
use crate::settings::Settings;

struct World {
    router: Router,
    cache: Cache,
    db: Db,
    key: Key,
    _scratch: Scratch,
}

/// What somebody sees.
#[derive(Debug)]
struct Seen {
    status: u16,
    etag: String,
    cookie: String,
    body: String,
}

impl World {
    async fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let variables = [
            ("DATABASE_URL", scratch.url()),
            ("NAMESPACE", name.to_owned()),
        ];
        let variable = |asked: &str| {
            let (_, value) = variables.iter().find(|(name, _)| *name == asked)?;
            Some(value.clone())
        };
        let (_, settings) = Settings::read(std::iter::empty(), variable).unwrap();
        let (cache, router) = crate::shop(&settings).await.unwrap();
        let db = db::open(&settings.database).await.unwrap();
        Self {
            router,
            cache,
            db,
            key: settings.key().unwrap(),
            _scratch: scratch,
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], form: &str) -> Seen {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "shop");
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let text = |name| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let cookie = text(header::SET_COOKIE)
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let (status, etag) = (response.status().as_u16(), text(header::ETAG));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Seen {
            status,
            etag,
            cookie,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Seen {
        self.send("GET", path, headers, "").await
    }

    /// Sends a form of our own.
    async fn post(&self, path: &str, cookie: &str, form: &str) -> Seen {
        let headers = [("origin", "http://shop"), ("cookie", cookie)];
        self.send("POST", path, &headers, form).await
    }

    /// The cookie of a session.
    async fn sign_in(&self, name: &str, password: &str) -> String {
        let seen = self
            .post("/sign-in", "", &format!("name={name}&password={password}"))
            .await;
        assert_eq!(seen.status, 303, "{seen:?}");
        seen.cookie
    }

    async fn stock(&self, product: i64) -> i64 {
        let query = sqlx::query_scalar("SELECT stock FROM products WHERE id = $1");
        query.bind(product).fetch_one(&self.db).await.unwrap()
    }
}

#[tokio::test]
async fn a_tag_of_one_person_is_none_of_anybody_elses() {
    let world = World::new("tags").await;
    let (ben, ada) = (
        world.sign_in("ben", "kite").await,
        world.sign_in("ada", "lovelace").await,
    );
    for path in ["/", "/shelves/tea", "/products/3"] {
        let own = world.get(path, &[("cookie", &ben)]).await;
        assert!(
            own.status == 200 && own.body.contains("Sign out ben"),
            "{own:?}"
        );
        let again = world
            .get(path, &[("cookie", &ben), ("if-none-match", &own.etag)])
            .await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        for cookie in ["", &ada] {
            let other = world
                .get(path, &[("cookie", cookie), ("if-none-match", &own.etag)])
                .await;
            assert_eq!(other.status, 200, "{path}");
            assert!(
                !other.body.contains("ben") && other.etag != own.etag,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn a_cookie_that_was_changed_or_has_ended_is_nobodys() {
    let world = World::new("cookies").await;
    let ben = world.sign_in("ben", "kite").await;
    let signed = |key: &Key, value: &'static str| {
        let jar = SignedCookieJar::new(key.clone());
        let response = jar.add(Cookie::new("session", value)).into_response();
        let cookie = &response.headers()[header::SET_COOKIE];
        cookie.to_str().unwrap().to_owned()
    };
    let of_another = signed(&Key::from(&[7; 64]), "1.99999999999");
    let has_ended = signed(&world.key, "1.1600000000");
    assert_eq!(
        world
            .get(
                "/orders",
                &[("cookie", &signed(&world.key, "1.99999999999"))]
            )
            .await
            .status,
        200
    );
    // The signature stands before the value: `2.…` is Ben, `1.…` would be Ada.
    for cookie in [
        ben.replace("2.", "1."),
        ben.replace("2.", "2.9"),
        of_another,
        has_ended,
        "session=1".to_owned(),
    ] {
        assert_ne!(cookie, ben);
        let seen = world.get("/orders", &[("cookie", &cookie)]).await;
        assert_eq!(seen.status, 303, "{cookie}: {seen:?}");
    }
    assert_eq!(world.get("/orders", &[("cookie", &ben)]).await.status, 200);
}

#[tokio::test]
async fn what_is_the_clerks_is_refused_to_all_others() {
    let world = World::new("clerks").await;
    let ben = world.sign_in("ben", "kite").await;
    for (path, form) in [
        ("/admin/products/3", "price=1"),
        ("/admin/products", "title=a&category=tea&text=b&price=1"),
    ] {
        assert_eq!(world.post(path, &ben, form).await.status, 403);
        assert_eq!(world.post(path, "", form).await.status, 303);
    }
    for path in [
        "/admin",
        "/cache",
        "/cache/",
        "/cache/api/snapshot",
        "/cache/api/catalog",
    ] {
        assert_eq!(
            world.get(path, &[("cookie", &ben)]).await.status,
            403,
            "{path}"
        );
        assert_eq!(world.get(path, &[]).await.status, 303, "{path}");
    }
    assert!(world.get("/products/3", &[]).await.body.contains("€ 9.90"));
}

#[tokio::test]
async fn a_form_from_another_page_changes_nothing() {
    let world = World::new("forms").await;
    let ada = world.sign_in("ada", "lovelace").await;
    for origin in [
        None,
        Some("http://evil"),
        Some("null"),
        Some("http://shop.evil"),
        Some("shop"),
    ] {
        let mut headers = vec![("cookie", ada.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let seen = world
            .send("POST", "/admin/products/3", &headers, "price=1")
            .await;
        assert_eq!(seen.status, 403, "{origin:?}");
    }
    assert!(world.get("/products/3", &[]).await.body.contains("€ 9.90"));
    assert_eq!(
        world
            .post("/admin/products/3", &ada, "price=1")
            .await
            .status,
        303
    );
    assert!(world.get("/products/3", &[]).await.body.contains("€ 1.00"));
}

#[tokio::test]
async fn an_order_that_cannot_be_filled_writes_nothing_and_invalidates_nothing() {
    let world = World::new("orders").await;
    let ben = world.sign_in("ben", "kite").await;
    for form in [
        "product=1&quantity=2",
        "product=2&quantity=20",
        "product=2&quantity=20",
        "product=2&quantity=20",
    ] {
        assert_eq!(world.post("/cart", &ben, form).await.status, 303);
    }
    world.get("/products/1", &[]).await;
    let before = world.cache.stats().total().loads;
    assert_eq!(world.post("/orders", &ben, "").await.status, 409);
    assert_eq!(world.stock(1).await, 40);
    world.get("/products/1", &[]).await;
    assert_eq!(
        world.cache.stats().total().loads,
        before,
        "what was read before is a hit still"
    );

    assert_eq!(
        world.post("/cart/remove", &ben, "product=2").await.status,
        303
    );
    assert_eq!(world.post("/orders", &ben, "").await.status, 303);
    assert_eq!(world.stock(1).await, 38);
    assert_eq!(
        world.post("/orders", &ben, "").await.status,
        409,
        "the cart is empty"
    );
}

#[tokio::test]
async fn the_last_one_that_is_sold_is_sold_out_at_the_next_request() {
    let world = World::new("last").await;
    let ben = world.sign_in("ben", "kite").await;
    assert!(
        !world
            .get("/shelves/pots", &[])
            .await
            .body
            .contains("Sold out")
    );
    for form in ["product=11&quantity=20", "product=11&quantity=20"] {
        world.post("/cart", &ben, form).await;
    }
    world.post("/orders", &ben, "").await;
    assert!(
        world
            .get("/shelves/pots", &[])
            .await
            .body
            .contains("Sold out")
    );
    assert!(
        world
            .get("/products/11", &[])
            .await
            .body
            .contains("Sold out")
    );
}

#[tokio::test]
async fn what_nobody_has_asked_for_properly_is_answered_by_what_is_wrong() {
    let world = World::new("odd").await;
    let ada = world.sign_in("ada", "lovelace").await;
    for path in [
        "/products/99",
        "/shelves/shoes",
        "/shelves/tea?page=9",
        "/nowhere",
    ] {
        assert_eq!(world.get(path, &[]).await.status, 404, "{path}");
    }
    for (path, form) in [
        ("/admin/products/3", "price=-1"),
        ("/admin/products", "title=+&category=tea&text=b&price=1"),
        ("/admin/products", "title=a&category=shoes&text=b&price=1"),
        ("/sign-in", "name=ben&password=lovelace"),
        ("/sign-in", "name=nobody&password=lovelace"),
    ] {
        assert_eq!(
            world.post(path, &ada, form).await.status,
            422,
            "{path} {form}"
        );
    }
    assert_eq!(
        world
            .post("/admin/products/99", &ada, "price=1")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn what_is_no_function_of_what_was_read_has_no_tag() {
    let world = World::new("untagged").await;
    for path in ["/products/99", "/metrics", "/style.css"] {
        assert_eq!(world.get(path, &[]).await.etag, "", "{path}");
    }
    let page = world.get("/metrics", &[]).await.body;
    assert!(page.contains("cached_redis_reads_total{") && page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_writer_has_a_reader_and_every_reader_a_writer() {
    cached_redis::assert_catalog!();
}
