//! `catalog` and `catalog diff`.

use std::fs;
use std::path::PathBuf;

use crate::shop::{bare, masked, open, run};

fn file(json: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("cached-redis-{}.json", fastrand::u64(..)));
    fs::write(&path, json).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_is_printed() {
    let (_server, shop) = open().await;
    let told = masked(&shop.prints("catalog"));
    assert!(
        told.starts_with("key ttl tags value function where\n"),
        "{told}"
    );
    assert!(
        told.contains("user:<id> T User cli::shop::get_user "),
        "{told}"
    );
    assert!(
        told.contains("team:<team>:members T team:<team> Vec<u64> cli::shop::members "),
        "{told}"
    );
}

#[test]
fn two_catalogues_are_compared_by_what_that_means() {
    let old = file(
        r#"{"functions":[{"function":"a","key":"a:<id>","ttl_ms":1000},
            {"function":"b","key":"b:<id>","tags":["t"]},{"function":"c","key":"c"}]}"#,
    );
    let new = file(
        r#"{"functions":[{"function":"a","key":"a:<key>","ttl_ms":2000},
            {"function":"b","key":"b2:<id>","tags":[]},{"function":"d","key":"d"}]}"#,
    );
    let diff =
        |old: &PathBuf, new: &PathBuf| run(bare().args(["catalog", "diff"]).args([old, new]));
    let done = diff(&old, &new);
    assert_eq!(done.code, Some(1), "{}", done.err);
    let heads = done.out.lines().filter(|line| !line.starts_with(' '));
    assert_eq!(
        heads.collect::<Vec<_>>(),
        [
            "a: ttl 1s -> 2s",
            "b: key b:<id> -> b2:<id>",
            "b: tags t -> ",
            "c: no longer there, key c",
            "d: new, key d",
        ]
        .map(str::trim_end)
    );
    let same = diff(&old, &old);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no difference\n"));
    let odd = file("{}");
    let refused = diff(&old, &odd);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.err.contains("is not the catalogue of a program"),
        "{}",
        refused.err
    );
    for file in [old, new, odd] {
        fs::remove_file(file).unwrap();
    }
}
