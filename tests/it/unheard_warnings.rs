//! A program in which nobody listens to `tracing` is told its first warning on stderr, once.

use cached_redis::{Cache, redis_cached};
use tracing::subscriber::NoSubscriber;

use crate::support::{RedisServer, again};

/// Set in the environment of the processes that these tests start: what they do.
const PART: &str = "UNHEARD_PART";
const SWITCH: &str = "CACHED_REDIS_STDERR";

#[redis_cached(ttl = 60, key = "unheard:<id>")]
async fn read(id: u64) -> u64 {
    id
}

/// What such a process does; without a part, nothing.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn process_of_its_own() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let (subscriber, url) = part.split_once(' ').unwrap();
    match subscriber {
        "silent" => tracing::subscriber::set_global_default(NoSubscriber::new()).unwrap(),
        "logger" => log::set_max_level(log::LevelFilter::Warn),
        _ => {}
    }
    if url.is_empty() {
        // There is no cache: each read is worth a warning, and two functions make two.
        for id in 0..3 {
            assert_eq!(read(id).await, id);
        }
        return;
    }
    let cache = Cache::builder().url(url).namespace("it").build().await;
    cache.unwrap().scope(read(1)).await;
}

/// What such a process writes to stderr, of ours.
fn told(part: &str, switch: Option<&str>) -> String {
    let module = module_path!().split_once("::").unwrap().1;
    let mut child = again(&format!("{module}::process_of_its_own"));
    child.env(PART, part);
    match switch {
        Some(switch) => child.env(SWITCH, switch),
        None => child.env_remove(SWITCH),
    };
    let output = child.output().expect("this program can be started again");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_forgotten_install_is_told_once_with_how_to_hear_more_and_how_to_hear_nothing() {
    let told = told("nobody ", None);
    assert_eq!(told.matches("cached-redis: ").count(), 1, "{told}");
    for part in [
        "no cache is installed",
        "`tracing` subscriber",
        "CACHED_REDIS_STDERR=off",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_server_that_is_away_and_one_that_refuses_the_password_are_told_with_address_and_cause() {
    let mut server = RedisServer::start();
    let refused = told(
        &format!("nobody {}", server.url_of("ada", "swordfish")),
        None,
    );
    assert!(refused.contains("cannot connect to the store"), "{refused}");
    assert!(refused.contains("refuses the login"), "{refused}");
    assert!(!refused.contains("swordfish"), "{refused}");
    server.kill();
    let away = told(&format!("nobody {}", server.url()), None);
    assert_eq!(away.matches("cached-redis: ").count(), 1, "{away}");
    assert!(away.contains("the connection was refused"), "{away}");
    let port = server.port().to_string();
    assert!(away.contains(&port), "{away}");
}

#[test]
fn where_somebody_listens_or_nobody_wants_to_nothing_is_told_there() {
    assert_eq!(told("silent ", None), "");
    let logged = told("logger ", None);
    assert_eq!(logged.is_empty(), cfg!(feature = "log"), "{logged}");
    assert_eq!(told("nobody ", Some("off")), "");
    assert!(told("nobody ", Some("on")).contains("no cache is installed"));
}
