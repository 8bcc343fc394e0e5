//! The pages keep what they say: samples compile as they are shown, links lead to headings that
//! exist, and the table of counters is whole. That the samples compile is checked by `rustdoc`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::observe::stats::FunctionStats;

/// How the fences of samples begin that `rustdoc` compiles, and those of other languages.
const COMPILED: [&str; 6] = [
    "",
    "rust",
    "rust,no_run",
    "no_run",
    "standalone_crate",
    "rust,standalone_crate",
];
const OTHERS: [&str; 8] = [
    "compile_fail",
    "text",
    "sh",
    "toml",
    "sql",
    "json",
    "yaml",
    "python",
];

/// What a sample may hide: the `main` around it.
const HIDDEN: [&str; 5] = [
    "# #[tokio::main",
    "# async fn main()",
    "# fn main() {}",
    "# Ok(())",
    "# }",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The pages by name, and the README.
pub(super) fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::from([(
        "README".to_owned(),
        include_str!("../../README.md").to_owned(),
    )]);
    for file in fs::read_dir(source().join("docs")).expect("the folder of the pages") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            pages.insert(name, fs::read_to_string(path).expect("text"));
        }
    }
    pages
}

/// The lines of a page, each with the language of the fence that it stands in.
fn lines(page: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
    let mut fence = None;
    page.lines().map(move |line| {
        let inside = fence;
        match (line.strip_prefix("```"), fence) {
            (Some(language), None) => fence = Some(language),
            (Some(_), Some(_)) => fence = None,
            (None, _) => {}
        }
        (inside, line)
    })
}

#[test]
fn samples_are_compiled_as_they_are_shown() {
    for (name, page) in pages() {
        for (number, (fence, line)) in lines(&page).enumerate() {
            let opened = line.strip_prefix("```").filter(|_| fence.is_none());
            let known = |language| COMPILED.contains(language) || OTHERS.contains(language);
            assert!(
                opened.as_ref().is_none_or(known),
                "{name}.md:{}: {line}",
                number + 1
            );
            let rust =
                fence.is_some_and(|fence| COMPILED.contains(&fence) || fence == "compile_fail");
            let hidden = rust && (line == "#" || line.starts_with("# "));
            let allowed = HIDDEN.iter().any(|main| line.starts_with(main));
            assert!(!hidden || allowed, "{name}.md:{} hides {line}", number + 1);
        }
    }
}

/// What `rustdoc` makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(kept)
        .collect()
}

/// The targets of `](…)` in a text.
pub(super) fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// The page and the heading that a link on `here` leads to, where it leads to one of a page.
pub(super) fn target<'a>(here: &'a str, link: &'a str) -> Option<(&'a str, &'a str)> {
    let pages = [
        "crate::docs::",
        "docs::",
        "https://docs.rs/cached-redis/latest/cached_redis/docs/",
    ];
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    match pages.iter().find_map(|prefix| path.strip_prefix(prefix)) {
        Some(page) => Some((page, heading)),
        None => path.is_empty().then_some((here, heading)),
    }
}

/// The documentation in the sources, beside the pages.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for file in fs::read_dir(folder).expect("a folder of the sources") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((
                path.display().to_string(),
                fs::read_to_string(&path).expect("text"),
            ));
        }
    }
}

#[test]
fn links_lead_to_pages_and_headings_that_exist() {
    let pages = pages();
    let headings: BTreeMap<&str, Vec<String>> = pages
        .iter()
        .map(|(name, page)| {
            let headings =
                lines(page).filter(|(fence, line)| fence.is_none() && line.starts_with('#'));
            (
                name.as_str(),
                headings.map(|(_, line)| anchor(line)).collect(),
            )
        })
        .collect();
    let mut texts: Vec<_> = pages.clone().into_iter().collect();
    sources(&source(), &mut texts);
    for (name, text) in &texts {
        for (page, heading) in links(text).filter_map(|link| target(name, link)) {
            let Some(of_page) = headings.get(page) else {
                assert!(name.ends_with(".rs"), "{name}: no page {page}");
                continue; // a heading of the item's own documentation
            };
            let exists = heading.is_empty() || of_page.iter().any(|known| known == heading);
            assert!(exists, "{name}: {page}.md has no heading #{heading}");
        }
    }
}

#[test]
fn the_table_of_counters_names_each_of_them() {
    let operations = include_str!("operations.md");
    let stats = format!("{:?}", FunctionStats::default());
    let fields = stats
        .split([',', '{'])
        .filter_map(|field| field.split_once(": "));
    for (name, _) in fields.filter(|(name, _)| name.trim() != "function") {
        let named = format!("`{}`", name.trim());
        assert!(
            operations
                .lines()
                .any(|line| line.starts_with("| `") && line.contains(&named)),
            "{named}"
        );
    }
}

/// Names of pages that stand as `open NAME close` in `text`.
fn names<'a>(text: &'a str, open: &'a str, close: char) -> Vec<&'a str> {
    text.split(open)
        .skip(1)
        .filter_map(|rest| rest.split(close).next())
        .collect()
}

#[test]
fn the_front_page_names_all_pages_in_their_order() {
    let listed = include_str!("mod.rs").split("pages! {\n    []").nth(1);
    let listed = listed
        .and_then(|rest| rest.split("\n}").next())
        .expect("the list");
    let listed = listed.lines().filter(|line| line.ends_with("\","));
    let listed: Vec<_> = listed
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let map = include_str!("front.md")
        .split("# Where to find what")
        .nth(1)
        .expect("the map");
    assert_eq!(names(map, "[`docs::", '`')[..listed.len()], listed);
    for name in pages().keys() {
        let is_no_page = ["README", "front", "testing_failure"].contains(&name.as_str());
        assert!(is_no_page || listed.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn the_page_of_settings_names_each_of_them() {
    let page = include_str!("configuration.md");
    let builder = include_str!("../api/builder.rs");
    let builder = builder.split("impl Builder").nth(1).expect("its methods");
    let hidden = ["process", "trace"];
    for part in builder.split("pub fn ").skip(1) {
        let name = part.split(['(', '<']).next().expect("a name");
        let takes_self = part
            .split(')')
            .next()
            .is_some_and(|it| it.contains("mut self"));
        let named = page.contains(&format!("`{name}`"));
        assert!(!takes_self || hidden.contains(&name) || named, "`{name}`");
    }
}

/// The messages in a source, whatever their level: the last literal of each macro, and each of the table of events.
fn messages(source: &str, is_table: bool) -> Vec<String> {
    let source = source
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or("");
    let mut found = Vec::new();
    for level in ["warn", "error", "info", "debug"] {
        let (call, said) = (format!("{level}!("), format!("{level}("));
        for (at, _) in source.match_indices(level) {
            let rest = &source[at..];
            if let Some(rest) = rest.strip_prefix(&call) {
                found.extend(literals(rest).pop());
            } else if let Some(rest) = rest.strip_prefix(&said).filter(|_| is_table) {
                found.extend(literals(rest));
            }
        }
    }
    // Of those that no one need read: the table's kinds, and what is put together elsewhere.
    found.retain(|text| !["", "cache", "events", "{text}"].contains(&text.as_str()));
    found
}

/// The string literals up to the parenthesis that closes.
fn literals(rest: &str) -> Vec<String> {
    let (mut found, mut depth, mut chars) = (Vec::new(), 1, rest.chars().peekable());
    while let Some(c) = chars.next().filter(|_| depth > 0) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => found.push(literal(&mut chars)),
            _ => {}
        }
    }
    found
}

/// One of them, behind its first quote.
fn literal(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next().filter(|c| *c != '"') {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some(_)) => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}

#[test]
fn every_message_is_on_its_page() {
    // The companions' own are on the pages of these.
    let pages = [
        include_str!("log.md"),
        include_str!("captured_changes.md"),
        include_str!("http.md"),
    ];
    let mut texts = Vec::new();
    sources(&source(), &mut texts);
    for companion in ["cached-redis-http", "cached-redis-postgres"] {
        let folder = source().join("../..").join(companion).join("src");
        // A package of this crate alone is without them.
        if folder.exists() {
            sources(&folder, &mut texts);
        }
    }
    let is_told = |name: &str| {
        !name.contains("/tests")
            && !name.ends_with("checks.rs")
            && !name.ends_with("util/warning.rs")
    };
    texts.retain(|(name, _)| is_told(name));
    let mut count = 0;
    for (name, text) in &texts {
        for message in messages(text, name.ends_with("observe/signal.rs")) {
            assert!(
                pages
                    .iter()
                    .any(|page| page.contains(&message.replace('|', r"\|"))),
                "{name}: \"{message}\" is on none of their pages"
            );
            count += 1;
        }
    }
    assert!(count > 60, "only {count} messages were found");
}
