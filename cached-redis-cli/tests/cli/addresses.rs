//! Every address of the library is one here.

use std::fs;

use crate::shop::{Shop, bare, run};
use crate::support::sentinel::Watched;
use crate::support::tls::{Authority, TlsServer};
use crate::support::{Cluster, RedisServer};

/// Looks, lists, sets a mode, removes, asks the doctor.
fn all(shop: &Shop) {
    assert_eq!(
        shop.json("inspect team:7:members")["standing"]["life"],
        "alive"
    );
    assert_eq!(shop.json("ls")["keys"].as_array().unwrap().len(), 3);
    shop.prints("mode get_user shadow --for 1h");
    assert_eq!(shop.json("mode")[0]["mode"], "shadow");
    shop.prints("purge key user:42");
    shop.prints("purge tag team:7");
    assert_eq!(shop.run("inspect user:42").code, Some(1));
    assert_eq!(
        shop.json("inspect team:7:members")["standing"]["life"],
        "dead"
    );
    let doctor = shop.run("doctor");
    assert_eq!(doctor.code, Some(0), "{}{}", doctor.out, doctor.err);
    assert!(doctor.out.contains("0 errors"), "{}", doctor.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket() {
    let server = RedisServer::start();
    let shop = Shop::at(&server.socket_url()).await;
    shop.fill().await;
    all(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster() {
    let cluster = Cluster::start(3);
    let shop = Shop::at(&cluster.url()).await;
    shop.fill().await;
    all(&shop);
    let doctor = shop.prints("doctor");
    assert_eq!(doctor.matches("cluster: ").count(), 3, "{doctor}");
    shop.prints("purge namespace --yes");
    assert_eq!(shop.json("ls")["keys"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels() {
    let watched = Watched::start().await;
    let shop = Shop::at(&watched.url()).await;
    shop.fill().await;
    all(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls() {
    let authority = Authority::new("an authority");
    let server = TlsServer::open(&authority, &authority.server());
    let ca = std::env::temp_dir().join(format!("cached-redis-ca-{}.pem", fastrand::u64(..)));
    fs::write(&ca, &authority.pem).unwrap();
    let pem = authority.pem.clone();
    let shop = Shop::of(&server.url(), |builder| builder.tls_ca(pem)).await;
    shop.fill().await;
    let words = format!("--tls-ca {} inspect user:42", ca.display());
    assert!(shop.prints(&words).contains("user 42"));
    let untrusted = shop.run("inspect user:42");
    assert_eq!(untrusted.code, Some(2));
    assert!(
        untrusted.err.contains("nobody who is trusted here issued"),
        "{}",
        untrusted.err
    );
    fs::remove_file(ca).unwrap();
}

#[test]
fn an_address_that_cannot_be_used_is_told_with_what_to_give() {
    for (url, told) in [
        ("", "give --url redis://host:port"),
        ("memory://", "nobody can look into it from here"),
        ("localhost:6379", "has no scheme"),
        (
            "redis://127.0.0.1:1",
            "no connection to `redis://127.0.0.1:1/0`",
        ),
    ] {
        let mut command = bare();
        let done = run(command.args(["-n", "shop", "--url", url, "--timeout", "1s", "ls"]));
        assert_eq!(done.code, Some(2), "{url}");
        assert!(
            done.err.starts_with("error: ") && done.err.contains(told),
            "{}",
            done.err
        );
    }
    let mut command = bare();
    let without = run(command.args(["--url", "redis://127.0.0.1:1", "ls"]));
    assert!(
        without.err.contains("give --namespace NAME"),
        "{}",
        without.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_variable_is_enough() {
    let server = RedisServer::start();
    let mut command = bare();
    let command = command.env("REDIS_URL", server.url());
    let done = run(command.args(["--namespace", "shop", "ls"]));
    assert_eq!((done.code, done.out.as_str()), (Some(0), "0 keys\n"));
}
