//! Every page of the site, as `scripts/book` has built it, in a headless Chromium at three widths: nothing is cut, nothing is
//! wider than the page, no page but two is longer than five screens of 1440 by 900. The pictures are in `target/pictures/docs/`.
//!
//! `scripts/book look` builds the site and runs this.

#[allow(dead_code, reason = "other tests press keys")]
#[path = "support/browser.rs"]
mod browser;

use std::fs;
use std::path::{Path, PathBuf};

use browser::{Browser, Look};
use serde_json::Value;

const LOOKS: [Look; 3] = [
    Look {
        width: 1440,
        height: 900,
        scheme: "light",
    },
    Look {
        width: 1024,
        height: 768,
        scheme: "dark",
    },
    Look {
        width: 390,
        height: 844,
        scheme: "light",
    },
];

/// Five screens of the first look.
const LONGEST: u64 = 5 * 900;

/// They are tables to be searched, not pages to be read.
const LONG: [&str; 2] = ["configuration", "evidence"];

/// What is wrong with the page that is open, in words: what ends beyond its edge and cannot be scrolled to, and columns in
/// which words had to be stacked. Where there is room, no table is scrolled either.
const WRONG: &str = r"(() => {
    const wrong = [], main = document.querySelector('main');
    const scrolls = element => element !== main && element !== document.body &&
        (['auto', 'scroll'].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const told = element => element.tagName + ': ' + element.textContent.trim().slice(0, 40);
    if (document.documentElement.scrollWidth > innerWidth) wrong.push('it is wider than the window');
    for (const element of main.querySelectorAll('*')) {
        const { width, right } = element.getBoundingClientRect();
        if (width && right > innerWidth + 1 && !scrolls(element)) wrong.push('beyond the edge: ' + told(element));
    }
    for (const cell of main.querySelectorAll('td, th')) {
        const text = document.createRange();
        text.selectNodeContents(cell);
        const lines = text.getBoundingClientRect().height / parseFloat(getComputedStyle(cell).fontSize);
        if (cell.getBoundingClientRect().width < 80 && lines > 2.4) wrong.push('narrow: ' + told(cell));
    }
    for (const table of main.querySelectorAll('table')) {
        const around = table.parentElement;
        if (innerWidth > 1000 && around.scrollWidth > around.clientWidth + 1) wrong.push('scrolled: ' + told(table));
    }
    return wrong;
})()";

fn site() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/book")
}

/// The pages of the site by name; the rest of its files are mdBook's own.
fn pages() -> Vec<String> {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("cached-redis/src/docs");
    let names = fs::read_dir(pages).expect("the folder of the pages");
    let names = names.map(|file| file.expect("a file").path());
    let pages = names.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let mut names: Vec<_> = pages
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "testing_failure") // a part of another one
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn every_page_fits_at_every_width() {
    let site = site();
    assert!(
        site.join("front.html").exists(),
        "there is no site in target/book: run `scripts/book`"
    );
    let (mut browser, mut wrong) = (Browser::start(), Vec::new());
    for look in LOOKS {
        browser.look(look);
        for name in pages() {
            let url = format!("file://{}/{name}.html", site.display());
            browser.open(&url);
            browser.until(&format!(
                "location.href === '{url}' && !!document.querySelector('main')"
            ));
            let width = look.width;
            browser.picture(&format!("docs/{name}-{width}"));
            let found: Value = browser.eval(WRONG);
            let found = found.as_array().expect("a list").iter();
            wrong.extend(found.map(|it| format!("{name} at {width}: {it}")));
            let height = browser
                .eval("document.documentElement.scrollHeight")
                .as_u64();
            if width == 1440 && height > Some(LONGEST) && !LONG.contains(&name.as_str()) {
                wrong.push(format!("{name} is {height:?} pixels long: split it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
