//! Somebody clicks through the shop, in a headless Chromium. Pictures are in `target/pictures/storefront-*.png`.

use serde_json::json;

use crate::support::{Browser, Look, Postgres, Shop};

const WIDE: Look = Look {
    width: 1200,
    height: 800,
    scheme: "light",
};

impl Browser {
    /// Follows a link or presses a button, by its selector, as the keyboard does, and waits for the page that
    /// comes.
    fn click(&mut self, selector: &str) {
        self.eval("window.isOld = true");
        self.eval(&format!("document.querySelector({selector:?}).focus()"));
        self.press("Enter");
        self.until("!window.isOld && document.readyState === 'complete'");
    }

    fn fill(&mut self, selector: &str, text: &str) {
        self.eval(&format!(
            "document.querySelector({selector:?}).value = {text:?}"
        ));
    }

    fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({selector:?}).innerText"));
        text.as_str().unwrap_or_default().to_owned()
    }

    fn sign_in(&mut self, shop: &Shop, name: &str, password: &str) {
        self.open(&format!("{}/sign-in", shop.url));
        self.fill("input[name=name]", name);
        self.fill("input[name=password]", password);
        self.click("main button");
    }

    /// How the page came that is shown: 304 has no body.
    fn came_unchanged(&mut self) -> bool {
        let entry = "performance.getEntriesByType('navigation')[0]";
        self.eval(&format!(
            "{entry}.transferSize < 500 && {entry}.decodedBodySize > 1000"
        )) == json!(true)
    }

    fn is_fine(&mut self) {
        assert_eq!(self.complaints(), [""; 0], "the page complains");
    }
}

fn buys_and_reprices(shop: &Shop) {
    let mut ben = Browser::start();
    ben.look(WIDE);
    ben.sign_in(shop, "ben", "kite");
    assert!(ben.text("header").contains("Sign out ben"));

    ben.open(&format!("{}/products/3", shop.url));
    assert_eq!(ben.text("main .price"), "€ 9.90");
    ben.fill("input[name=quantity]", "2");
    ben.click("main button");
    assert_eq!(ben.text(".total"), "€ 19.80");
    assert_eq!(ben.text(".count"), "2");

    let mut ada = Browser::start();
    ada.look(WIDE);
    ada.sign_in(shop, "ada", "lovelace");
    ada.open(&format!("{}/admin", shop.url));
    ada.fill(
        "form[action='/admin/products/3'] input[name=price]",
        "12.50",
    );
    ada.click("form[action='/admin/products/3'] button");

    // At the next request, wherever the price is shown.
    ben.open(&format!("{}/cart", shop.url));
    assert_eq!(ben.text(".total"), "€ 25.00");
    ben.open(&format!("{}/products/3", shop.url));
    assert_eq!(ben.text("main .price"), "€ 12.50");
    ben.open(&format!("{}/shelves/tea", shop.url));
    assert_eq!(ben.text("main [data-product='3']"), "€ 12.50");

    ben.open(&format!("{}/cart", shop.url));
    ben.click("form[action='/orders'] button");
    assert_eq!(ben.text("tbody tr"), "No. 1\t€ 25.00");
    ben.open(&format!("{}/cart", shop.url));
    assert!(ben.text("main").contains("Nothing is in it yet."));
    ben.click("form[action='/sign-out'] button");
    assert!(ben.text("header").contains("Sign in"));
    ben.open(&format!("{}/orders", shop.url));
    assert_eq!(ben.text("h1"), "Sign in");
    ben.is_fine();
    ada.is_fine();
}

#[test]
fn a_price_that_a_clerk_changes_is_what_the_cart_the_shelf_and_the_order_say_next() {
    buys_and_reprices(&Shop::open(&[]));
}

#[test]
fn it_is_the_same_shop_on_postgresql() {
    let postgres = Postgres::start();
    buys_and_reprices(&Shop::open(&[("DATABASE_URL", postgres.url())]));
}

#[test]
fn a_page_that_has_not_changed_is_not_sent_again_and_is_another_one_when_signed_in() {
    let shop = Shop::open(&[]);
    let mut browser = Browser::start();
    let shelf = format!("{}/shelves/tea", shop.url);
    browser.open(&shelf);
    assert!(!browser.came_unchanged());
    browser.open(&shop.url);
    browser.open(&shelf);
    assert!(browser.came_unchanged());

    browser.sign_in(&shop, "ben", "kite");
    browser.open(&shelf);
    assert!(!browser.came_unchanged() && browser.text("header").contains("Sign out ben"));
    browser.open(&shelf);
    assert!(browser.came_unchanged() && browser.text("header").contains("Sign out ben"));
    browser.click("form[action='/sign-out'] button");
    browser.open(&shelf);
    assert!(!browser.text("header").contains("ben"));
    browser.is_fine();
}

#[test]
fn a_clerk_adds_a_product_and_watches_the_cache_and_nobody_else_does() {
    let shop = Shop::open(&[]);
    let mut browser = Browser::start();
    browser.open(&format!("{}/products/25", shop.url));
    assert_eq!(browser.text("h1"), "There is no such page.");
    browser.forgive(); // that it was answered 404
    browser.open(&format!("{}/cache", shop.url));
    assert_eq!(browser.text("h1"), "Sign in");

    browser.sign_in(&shop, "ada", "lovelace");
    browser.open(&format!("{}/admin", shop.url));
    for (name, value) in [
        ("title", "<b>Pu'er & friends</b>"),
        ("text", "Old."),
        ("price", "30"),
    ] {
        browser.fill(
            &format!("form[action='/admin/products'] input[name={name}]"),
            value,
        );
    }
    browser.fill("form[action='/admin/products'] select", "tea");
    browser.click("form[action='/admin/products'] button");
    assert_eq!(browser.text("h1"), "<b>Pu'er & friends</b>");
    browser.open(&format!("{}/shelves/tea", shop.url));
    assert_eq!(browser.text("li strong"), "<b>Pu'er & friends</b>");

    browser.open(&format!("{}/cache", shop.url));
    browser.until("document.querySelectorAll('#rows tr').length > 3");
    browser.is_fine();
}

#[test]
fn it_looks_as_it_should_in_light_in_dark_and_on_a_telephone() {
    let shop = Shop::open(&[]);
    let mut browser = Browser::start();
    browser.sign_in(&shop, "ada", "lovelace");
    for product in [3, 11, 17] {
        browser.open(&format!("{}/products/{product}", shop.url));
        browser.click("main button");
    }
    let looks = [
        ("light", WIDE),
        (
            "dark",
            Look {
                scheme: "dark",
                ..WIDE
            },
        ),
        (
            "390",
            Look {
                width: 390,
                height: 844,
                scheme: "light",
            },
        ),
    ];
    for (look_name, look) in looks {
        browser.look(look);
        for (name, path) in [
            ("home", "/"),
            ("product", "/products/3"),
            ("cart", "/cart"),
            ("admin", "/admin"),
        ] {
            browser.open(&format!("{}{path}", shop.url));
            let fits = browser.eval("document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(
                fits,
                json!(true),
                "nothing of {path} is wider than the page, {look_name}"
            );
            let labels = "[...document.querySelectorAll('input:not([type=hidden]), select')].every(it => it.labels.length)";
            assert_eq!(
                browser.eval(labels),
                json!(true),
                "each field of {path} has a label"
            );
            browser.picture(&format!("storefront-{name}-{look_name}"));
        }
    }
    browser.is_fine();
}
