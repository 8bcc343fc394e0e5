//! TLS works without any preparation in the program; and where a certificate is not as it should
//! be, that is said and nothing is sent.

use std::time::Duration;

use cached_redis::error::{AddressProblem, ConnectProblem, TlsProblem};
use cached_redis::{Builder, Cache, CachedExt as _, Error, Status, invalidates, redis_cached};
use rcgen::{CertificateParams, SanType, date_time_ymd};
use tracing::Level;

use crate::support::sentinel::{SERVICE, watch};
use crate::support::tls::{Authority, Signed, TlsServer, for_names};
use crate::support::{Log, RedisServer, eventually, filled, in_time, tier};

#[redis_cached(ttl = 60, key = "tls:<id>")]
async fn read(id: u64) -> Vec<u8> {
    vec![id as u8; 300_000]
}

#[invalidates("tls:<id>")]
async fn write(id: u64) {
    let _ = id;
}

fn builder(url: &str) -> Builder {
    let second = Duration::from_secs(20);
    let builder = Cache::builder().url(url).namespace("it");
    builder.connect_timeout(second).deadline(second)
}

fn trusting(server: &TlsServer, authority: &Authority) -> Builder {
    builder(&server.url()).tls_ca(authority.pem.as_str())
}

async fn works(builder: Builder) {
    let cache = builder.require_connection(true).build().await.unwrap();
    for expected in [Status::Miss, Status::Hit] {
        let (_, info) = cache.scope(read(1).with_info()).await;
        assert_eq!(info.status(), expected);
        filled(&cache, 1).await;
    }
    cache.scope(write(1)).await;
    assert_eq!(
        cache.scope(read(1).with_info()).await.1.status(),
        Status::Miss
    );
    let stats = cache.stats().total();
    assert_eq!((stats.errors, stats.bypasses), (0, 0), "{stats:?}");
}

/// The reason that `build` gives where a connection is required; elsewhere it is told, and functions
/// run.
async fn fails(builder: Builder) -> TlsProblem {
    let required = builder.clone().require_connection(true).build();
    let problem = match in_time(required).await {
        Err(Error::Connect {
            problem: ConnectProblem::Tls(problem),
            ..
        }) => problem,
        other => panic!("not refused for TLS: {other:?}"),
    };
    let (log, _guard) = Log::collect();
    let cache = builder.build().await.unwrap();
    assert_eq!(in_time(cache.scope(read(1))).await.len(), 300_000);
    let told = log.count(Level::WARN, &problem.to_string());
    assert_eq!(told, 1, "{}", log.text());
    problem
}

#[tokio::test]
async fn a_private_authority_is_trusted() {
    let authority = Authority::new("ours");
    let server = TlsServer::open(&authority, &authority.server());
    works(trusting(&server, &authority)).await;
}

#[tokio::test]
async fn one_of_several_authorities_is_enough() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let server = TlsServer::open(&authority, &authority.server());
    let both = format!("{}\n{}", other.pem, authority.pem);
    works(builder(&server.url()).tls_ca(both)).await;
}

#[tokio::test]
async fn a_server_may_be_named_by_its_ip_address() {
    let authority = Authority::new("ours");
    let mut params = CertificateParams::default();
    let address = SanType::IpAddress("127.0.0.1".parse().unwrap());
    params.subject_alt_names.push(address);
    let server = TlsServer::open(&authority, &authority.sign(params));
    let url = server.url().replace("localhost", "127.0.0.1");
    works(trusting(&server, &authority).url(url)).await;
}

#[tokio::test]
async fn a_server_of_the_older_protocol_is_spoken_to() {
    let authority = Authority::new("ours");
    let older = ["--tls-auth-clients", "no", "--tls-protocols", "TLSv1.2"];
    let server = TlsServer::start(&authority, &authority.server(), &older);
    works(trusting(&server, &authority)).await;
}

#[tokio::test]
async fn a_login_goes_through_tls() {
    let authority = Authority::new("ours");
    let server = TlsServer::open(&authority, &authority.server());
    let user = ["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all"];
    server.server.run::<()>(&user);
    server
        .server
        .run::<()>(&["ACL", "SETUSER", "default", "off"]);
    let url = server.url().replace("//", "//app:secret@");
    works(trusting(&server, &authority).url(url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_values_go_through_at_once() {
    let authority = Authority::new("ours");
    let server = TlsServer::open(&authority, &authority.server());
    let builder = trusting(&server, &authority).lease(Duration::from_secs(60));
    let cache = builder.build().await.unwrap();
    let values: u8 = tier(10, 30);
    for round in 1..=3 {
        let readers: Vec<_> = (0..values).map(|id| cache.spawn(read(id.into()))).collect();
        for (id, reader) in (0..values).zip(readers) {
            assert_eq!(in_time(reader).await.unwrap(), vec![id; 300_000]);
        }
        filled(&cache, values.into()).await;
        assert_eq!(
            cache.stats().total().loads,
            u64::from(values),
            "in round {round}"
        );
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let authority = Authority::new("ours");
    let mut server = TlsServer::open(&authority, &authority.server());
    let cache = trusting(&server, &authority).build().await.unwrap();
    server.server.kill();
    assert_eq!(in_time(cache.scope(read(1))).await.len(), 300_000);
    server.server.restart();
    let hit = async || cache.scope(read(1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let server = TlsServer::open(&authority, &authority.server());
    assert_eq!(fails(trusting(&server, &other)).await, TlsProblem::Issuer);
    let namesake = Authority::new("ours");
    assert_eq!(
        fails(trusting(&server, &namesake)).await,
        TlsProblem::Issuer
    );
}

#[tokio::test]
async fn a_private_authority_that_was_not_given_is_not_trusted() {
    let authority = Authority::new("ours");
    let server = TlsServer::open(&authority, &authority.server());
    let built = builder(&server.url()).require_connection(true);
    match in_time(built.build()).await {
        Err(Error::Connect { problem, .. }) => {
            assert_eq!(problem, ConnectProblem::Tls(TlsProblem::Issuer));
        }
        // On a system that trusts nobody.
        Err(Error::Setting { setting, .. }) => assert_eq!(setting, "tls_ca"),
        other => panic!("{other:?}"),
    }
}

/// A cluster of one, and what it says of itself.
fn cluster(authority: &Authority, says: &[&str]) -> TlsServer {
    let cluster = [
        "--tls-auth-clients",
        "no",
        "--tls-cluster",
        "yes",
        "--cluster-enabled",
        "yes",
    ];
    let place = ["--cluster-announce-ip", "127.0.0.1"];
    let server = TlsServer::start(
        authority,
        &authority.server(),
        &[&cluster[..], &place, says].concat(),
    );
    let all = ["CLUSTER", "ADDSLOTSRANGE", "0", "16383"];
    server.server.run::<()>(&all);
    server
}

#[tokio::test]
async fn a_node_of_a_cluster_is_known_by_the_host_name_that_it_announces() {
    let authority = Authority::new("ours");
    for (says, named) in [
        (&["--cluster-announce-hostname", "localhost"][..], true),
        (&[], false),
    ] {
        let server = cluster(&authority, says);
        let is_ok = async || {
            let info: String = server.server.run(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok")
        };
        eventually("a cluster", is_ok).await;
        let url = server.url().replace("rediss://", "rediss+cluster://");
        let builder = trusting(&server, &authority).url(url);
        match named {
            true => works(builder).await,
            // Its address stands in no certificate.
            false => assert_eq!(fails(builder).await, TlsProblem::Name),
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new("ours");
    let elsewhere = authority.sign(for_names(&["elsewhere.test"]));
    let server = TlsServer::open(&authority, &elsewhere);
    assert_eq!(fails(trusting(&server, &authority)).await, TlsProblem::Name);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new("ours");
    for (from, until) in [(2000, 2001), (3000, 3001)] {
        let mut params = for_names(&["localhost"]);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let server = TlsServer::open(&authority, &authority.sign(params));
        assert_eq!(
            fails(trusting(&server, &authority)).await,
            TlsProblem::Expired
        );
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let server = TlsServer::start(&authority, &authority.server(), &[]);
    let with = |signed: Signed| {
        let builder = trusting(&server, &authority);
        builder.tls_client_cert(signed.certificate, signed.key)
    };
    works(with(authority.sign(for_names(&["app"])))).await;
    let refused = TlsProblem::ClientCertificate;
    assert_eq!(fails(trusting(&server, &authority)).await, refused);
    let stranger = other.sign(for_names(&["app"]));
    assert_eq!(fails(with(stranger)).await, refused);
}

#[tokio::test]
async fn a_server_without_tls_fails_in_time() {
    let server = RedisServer::start();
    let url = server.url().replace("redis:", "rediss:");
    let builder = Cache::builder().url(url).namespace("it");
    // A server without TLS may wait for more of what it takes for a command.
    let builder = builder.tls_ca(Authority::new("ours").pem);
    let required = builder.clone().require_connection(true).build();
    match in_time(required).await {
        Err(Error::Connect {
            problem: ConnectProblem::Tls(TlsProblem::Protocol) | ConnectProblem::Timeout,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
    let cache = in_time(builder.build()).await.unwrap();
    assert_eq!(in_time(cache.scope(read(1))).await.len(), 300_000);
}

#[tokio::test]
async fn a_server_with_tls_fails_under_an_address_without() {
    let authority = Authority::new("ours");
    let server = TlsServer::open(&authority, &authority.server());
    let builder = builder(&server.server.url());
    let required = builder.clone().require_connection(true).build();
    assert!(matches!(
        in_time(required).await,
        Err(Error::Connect { .. })
    ));
    let cache = in_time(builder.build()).await.unwrap();
    assert_eq!(in_time(cache.scope(read(1))).await.len(), 300_000);
}

#[tokio::test]
async fn what_is_no_pem_is_refused_by_the_setting_and_not_shown() {
    let authority = Authority::new("ours");
    let signed = authority.sign(for_names(&["app"]));
    let unrelated = authority.sign(for_names(&["app"]));
    let secret = "c2VjcmV0";
    let broken = format!("-----BEGIN CERTIFICATE-----\n{secret}\n-----END CERTIFICATE-----\n");
    let url = "rediss://localhost:1";
    let with_ca = |pem: &str| builder(url).tls_ca(pem);
    let with_client = |certificate: &str, key: &str| {
        let builder = with_ca(&authority.pem);
        builder.tls_client_cert(certificate, key)
    };
    for (setting, builder) in [
        ("tls_ca", with_ca("")),
        ("tls_ca", with_ca(secret)),
        ("tls_ca", with_ca(&signed.key)),
        ("tls_ca", with_ca(&broken)),
        ("tls_client_cert", with_client("", &signed.key)),
        ("tls_client_cert", with_client(&signed.key, &signed.key)),
        ("tls_client_cert", with_client(&signed.certificate, "")),
        ("tls_client_cert", with_client(&signed.certificate, secret)),
        (
            "tls_client_cert",
            with_client(&signed.certificate, &unrelated.key),
        ),
        ("tls_client_cert", with_client(&broken, &signed.key)),
    ] {
        let shown = format!("{builder:?}");
        assert!(!shown.contains("BEGIN"), "{shown}");
        let error = builder.build().await.unwrap_err();
        assert!(
            matches!(&error, Error::Setting { setting: at, .. } if at == setting),
            "{error:?}"
        );
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains(secret) && !shown.contains("BEGIN"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_query_cannot_switch_verification_off() {
    for query in ["?insecure=true", "?ssl_cert_reqs=none", "#insecure"] {
        let built = builder(&format!("rediss://localhost/0{query}")).build();
        match built.await {
            Err(Error::Address { problem, .. }) => assert!(
                matches!(problem, AddressProblem::Query | AddressProblem::Malformed),
                "{problem}"
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn sentinels_and_the_server_they_name_are_spoken_to_over_tls() {
    let authority = Authority::new("private");
    let signed = authority.sign(for_names(&["localhost", "127.0.0.1"]));
    let server = TlsServer::open(&authority, &signed);
    let open = ["--tls-auth-clients", "no", "--sentinel"];
    let sentinel = TlsServer::start(&authority, &signed, &open);
    watch(&sentinel.server, &server.server, 1);
    let url = sentinel.url().replace("rediss:", "rediss+sentinel:");
    works(builder(&format!("{url}/{SERVICE}")).tls_ca(authority.pem.as_str())).await;
}
