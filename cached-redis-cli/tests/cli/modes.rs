//! `mode`: what it sets is followed by running programs.

use cached_redis::Mode;

use crate::shop::{Shop, get_user, masked, open};
use crate::support::eventually;

async fn becomes(shop: &Shop, mode: Mode) {
    let is_so = async || shop.cache.mode("get_user").unwrap() == mode;
    eventually("the program to follow", is_so).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_is_followed_by_running_programs_and_ends_by_itself() {
    let (_server, shop) = open().await;
    let set = shop.prints("mode get_user off --for 7s");
    assert_eq!(
        masked(&set),
        "cli::shop::get_user is off for T in every process of the namespace, within 5 s."
    );
    becomes(&shop, Mode::Off).await;
    let before = shop.cache.stats().function("get_user").unwrap().hits;
    shop.cache.scope(get_user(42)).await;
    assert_eq!(
        shop.cache.stats().function("get_user").unwrap().hits,
        before
    );
    becomes(&shop, Mode::On).await;
    assert!(shop.prints("mode").starts_with("nothing is set"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_comes_before_what_the_program_says_until_it_is_reset() {
    let (server, shop) = open().await;
    shop.cache.set_mode("get_user", Mode::Shadow).unwrap();
    shop.prints("mode get_user on");
    shop.prints("mode find off --for 10m");
    assert_eq!(
        masked(&shop.prints("mode")),
        "function mode for another\ncli::shop::find off T\ncli::shop::get_user on T"
    );
    becomes(&shop, Mode::On).await;
    // Who is started meanwhile begins with it.
    let later = Shop::of(&server.url(), |builder| builder.mode("get_user", Mode::Off)).await;
    assert_eq!(later.cache.mode("get_user").unwrap(), Mode::On);
    let ends = server.lives()["shop:#modes"];
    assert!(ends > 0 && ends <= 24 * 60 * 60 * 1000, "{ends}");

    shop.prints("mode get_user reset");
    becomes(&shop, Mode::Shadow).await;
    becomes(&later, Mode::Off).await;
    assert_eq!(shop.run("mode get_user reset").code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_to_follow_does_not() {
    let (server, shop) = open().await;
    let own = Shop::of(&server.url(), |builder| builder.follow_modes(false)).await;
    shop.prints("mode get_user off");
    becomes(&shop, Mode::Off).await;
    assert_eq!(own.cache.mode("get_user").unwrap(), Mode::On);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_time_that_cannot_be_meant_are_refused() {
    let (server, shop) = open().await;
    let unknown = shop.run("mode nobody off");
    assert_eq!(unknown.code, Some(2));
    assert_eq!(
        unknown.err,
        "error: no cached function is named `nobody`\n\
         help: `catalog` lists the functions that a program has\n"
    );
    let long = shop.run("mode find off --for 31d");
    assert!(
        long.err.contains("must be from 1 s to 30 days"),
        "{}",
        long.err
    );
    assert!(
        shop.run("mode find off --for soon")
            .err
            .contains("such as 10m")
    );
    assert!(server.bytes("shop:#modes").is_none());
}
