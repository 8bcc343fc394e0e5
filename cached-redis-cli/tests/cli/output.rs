//! How it prints: into a pipe that closes, on a narrow terminal, and nothing that is secret.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use cached_redis::Policy;

use crate::shop::{Shop, bare, open, run};
use crate::support::RedisServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_closes_ends_it_quietly() {
    let (server, shop) = open().await;
    // More than a pipe holds.
    for at in 0..3000 {
        server.plant(&format!("shop:many:{at}:{}", "x".repeat(100)), b"x");
    }
    let mut listing = shop.command("ls --limit 5000");
    let listing = listing.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = listing.spawn().unwrap();
    let mut some = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
    assert_eq!(done.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_columns_are_enough() {
    let (_server, shop) = open().await;
    for words in [
        "inspect team:7:members --no-value",
        "ls",
        "doctor",
        "mode",
        "catalog",
    ] {
        let done = run(shop.command(words).env("COLUMNS", "40"));
        assert!(!done.out.is_empty(), "{words}: {}", done.err);
        for line in done.out.lines() {
            let has_blank = line.trim_start().contains(' ');
            assert!(line.chars().count() <= 40 || !has_blank, "{words}: {line}");
        }
    }
    let help = run(bare().arg("--help").env("COLUMNS", "40"));
    assert_eq!(help.code, Some(0));
}

/// What a terminal may obey, in a key; of which nothing is to be printed, in any form.
const ODD: &str = "\u{1b}[2J\u{9b}x\u{202e}\nkind value";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_terminal_obeys_is_printed() {
    let (_server, shop) = open().await;
    let policy = Policy::new().ttl(Duration::from_secs(600));
    let entry = shop.cache.entry(ODD).policy(&policy).tags([ODD]);
    assert!(entry.put(&ODD.to_owned()).await.unwrap());
    for words in [
        vec!["ls"],
        vec!["--json", "ls"],
        vec!["inspect", ODD],
        vec!["--json", "inspect", ODD],
        vec!["purge", "--dry-run", "key", ODD],
        vec!["doctor"],
        vec!["mode", ODD, "off"],
        vec!["explain", ODD],
        vec!["purge", "function", ODD],
    ] {
        let done = run(shop.command("").args(&words));
        let all = format!("{}{}", done.out, done.err);
        let obeyed = |c| matches!(c, '\u{1b}' | '\u{9b}' | '\u{202e}');
        assert!(!all.is_empty() && !all.contains(obeyed), "{words:?}: {all}");
        // No line of it is one that the command line seems to say.
        assert!(
            all.lines().all(|line| !line.starts_with("kind value")),
            "{words:?}: {all}"
        );
    }
}

/// They are nobody's of this cache, so they are neither told nor removed, and nothing stops at them.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_no_text_are_in_nobodys_way() {
    let (server, shop) = open().await;
    let odd: &[u8] = b"shop:\xff\xfe";
    let stands = |key: &[u8]| {
        let mut exists = redis::cmd("EXISTS");
        exists.arg(key).query::<u64>(&mut server.connect()).unwrap()
    };
    redis::cmd("SET")
        .arg(odd)
        .arg("x")
        .exec(&mut server.connect())
        .unwrap();
    for words in ["ls", "doctor", "purge namespace --yes"] {
        shop.prints(words);
    }
    assert_eq!((stands(odd), stands(b"shop:user:42")), (1, 0));
}

/// The login may look, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_may_only_read_looks_and_is_told_what_it_may_not() {
    let (server, shop) = open().await;
    server.run::<()>(&[
        "ACL",
        "SETUSER",
        "eve",
        "on",
        ">look-only",
        "~*",
        "-@all",
        "+@read",
        "+@connection",
        "+info",
        "+time",
        "+acl|whoami",
        "+acl|dryrun",
    ]);
    let url = server.url_of("eve", "look-only");
    let looks = &|words: &str| run(shop.command(words).args(["--url", &url]));
    for words in ["ls", "inspect user:42", "purge --dry-run namespace"] {
        let done = looks(words);
        assert_eq!(done.code, Some(0), "{words}: {}", done.err);
    }
    let sick = looks("doctor");
    let told = "error    login: eve may not run UNLINK on shop:*: invalidations are lost";
    assert!(
        sick.code == Some(1) && sick.out.contains(told),
        "{}{}",
        sick.out,
        sick.err
    );
    let hint = "`doctor` tells whether this login may remove";
    for (words, told) in [
        ("purge key user:42", hint),
        ("purge namespace --yes", hint),
        ("mode find off", "NOPERM"),
    ] {
        let done = looks(words);
        assert_eq!(done.code, Some(2), "{words}: {}", done.out);
        assert!(done.err.contains(told), "{words}: {}", done.err);
        assert!(!done.err.contains("look-only"), "{}", done.err);
    }
    assert_eq!(shop.run("inspect user:42").code, Some(0));
    // A removal that is refused is not tried again until the patience of a flush is over.
    let stats: String = server.run(&["INFO", "commandstats"]);
    let scripts = stats.split_once("cmdstat_evalsha:");
    let refused = scripts.and_then(|(_, row)| row.split_once("rejected_calls="));
    let tried = refused.and_then(|(_, row)| row.split(',').next()?.parse::<u64>().ok());
    assert!(tried.is_some_and(|tried| tried <= 12), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_an_address_that_is_wrong_is_printed() {
    for url in [
        "redis://:hun ter2@h",
        "redis://ann:hun%ter2@h",
        "http://ann:hunter2@h",
        "redis://ann:hunter2@",
        "redis://ann:hunter2@h:99999",
        "redis://ann:hunter2@127.0.0.1:1",
        "redis+cluster://ann:hunter2@127.0.0.1:1",
        "redis+sentinel://ann:hunter2@127.0.0.1:1/shop",
        "redis://ann:hunter2@h/0?password=hunter2",
        "ann:hunter2@h",
        "unix:///nobody?pass=hunter2",
    ] {
        let done = run(bare().args(["-n", "shop", "--timeout", "1s", "--url", url, "ls"]));
        assert_eq!(done.code, Some(2), "{url}");
        let is_told = done.err.contains("hun") || done.err.contains("ter2");
        assert!(!done.err.is_empty() && !is_told, "{url}: {}", done.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_contains_a_password() {
    let server = RedisServer::start();
    server.run::<()>(&[
        "ACL",
        "SETUSER",
        "ann",
        "on",
        ">pass-word",
        "~*",
        "&*",
        "+@all",
    ]);
    let shop = Shop::at(&server.url_of("ann", "pass-word")).await;
    shop.fill().await;
    for words in [
        "inspect user:42",
        "ls",
        "doctor",
        "doctor --json",
        "mode",
        "purge key a",
        "--help",
        "inspect --help",
        "man",
        "completions bash",
        "mode nobody off",
        "--bad",
    ] {
        let done = run(&mut shop.command(words));
        let all = format!("{}{}", done.out, done.err);
        assert!(
            !all.is_empty() && !all.contains("pass-word"),
            "{words}: {all}"
        );
    }
    let wrong = server.url_of("ann", "wrong-word");
    let refused = run(bare().args(["-n", "shop", "-u", &wrong, "ls"]));
    assert_eq!(refused.code, Some(2));
    assert!(!refused.err.contains("wrong-word"), "{}", refused.err);
}

#[test]
fn completions_and_the_manual_page_are_there() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(bare().args(["completions", shell]));
        assert_eq!(script.code, Some(0));
        assert!(script.out.contains("inspect"), "{shell}");
    }
    let page = run(bare().arg("man"));
    assert_eq!(page.code, Some(0));
    for part in [".TH cached", "\"CACHED-REDIS PURGE\"", "dry\\-run"] {
        assert!(page.out.contains(part), "{part}: {}", page.out);
    }
}
