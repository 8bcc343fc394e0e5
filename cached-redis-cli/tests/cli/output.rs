//! How it prints: into a pipe that closes, on a narrow terminal, and nothing that is secret.

use std::io::Read as _;
use std::process::Stdio;

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

#[tokio::test(flavor = "multi_thread")]
async fn no_control_character_of_a_key_is_printed() {
    let (server, shop) = open().await;
    server.plant("shop:\u{1b}[2Jodd", b"x");
    let listed = shop.prints("ls");
    assert!(
        listed.contains("\\u{1b}[2Jodd") && !listed.contains('\u{1b}'),
        "{listed}"
    );
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
