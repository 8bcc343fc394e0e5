//! What people come with, and the sentence that answers it: it has to be on its page, and the page at most two clicks
//! from the front page.

use std::collections::BTreeMap;

use super::checks::{links, pages, target};

/// The question, the page, and how its answer begins there.
const QUESTIONS: [(&str, &str, &str); 20] = [
    (
        "How do I get a first hit?",
        "start",
        "cargo add cached-redis tracing-subscriber",
    ),
    (
        "Why is nothing cached? (a forgotten `install`)",
        "start",
        "Without `install` the functions run as if they were not annotated, and one warning says so.",
    ),
    (
        "Why is the hit rate low?",
        "troubleshooting",
        "| `misses` near reads, `fills` as many | keys are read once:",
    ),
    (
        "Why did I read an old value?",
        "troubleshooting",
        "does each writer of the data stand under the key?",
    ),
    (
        "How do I clear one function?",
        "deploying",
        "| a function | [`cache.clear(function)`]",
    ),
    (
        "How large must Redis be?",
        "redis",
        "What an entry takes in Redis 7.0, measured with a key of 20 bytes and a TTL",
    ),
    (
        "Which eviction policy?",
        "redis",
        "For a cache take `volatile-lru`, with room to spare if writers are guarded.",
    ),
    (
        "What does a deploy of a changed struct do?",
        "codecs",
        "An entry of another fingerprint is a miss and is replaced,",
    ),
    (
        "How do I turn on `guarded`?",
        "deploying",
        "goes out in two steps: first to every process that invalidates in the namespace,",
    ),
    (
        "What is the URL of a cluster?",
        "deployments",
        "redis+cluster://a:7001,b:7002,c:7003",
    ),
    (
        "How do I get an ETag in axum?",
        "http",
        "gives a response a weak `ETag` of the **contents** of all that its handler has read,",
    ),
    (
        "How do tests run in parallel?",
        "faq",
        "Each has a cache of its own, by `cache.scope(…)`",
    ),
    (
        "How do I come from `cached`?",
        "comparison",
        "| `#[cached(ttl = 60)]`, `#[concurrent_cached(…)]` | `#[redis_cached(key = \"name:<id>\", ttl = 60)]` |",
    ),
    (
        "What does a hit cost?",
        "performance",
        "| hit | `GET` | 1, shared with reads that overlap: they are one `MGET` |",
    ),
    (
        "Is Valkey 9 tested?",
        "deployments",
        "| Valkey 9.1.2 | behaviour, steps, stress under faults | passes;",
    ),
    (
        "How do I rotate the password?",
        "faq",
        "Give the Redis user a second one (`ACL SETUSER app >new`), restart the processes with it,",
    ),
    (
        "What if Redis is down at the start?",
        "outages",
        "**The program starts** without Redis, and the cache works as soon as Redis does.",
    ),
    (
        "What do nested transactions do?",
        "transactions",
        "**Nested transactions** (savepoints) need one `after_commit`, that of the outermost.",
    ),
    (
        "May a secret be in a key?",
        "keys",
        "**No secret in a key.** Names of keys appear in `MONITOR`, in slow logs and in dashboards.",
    ),
    (
        "How does a batch get tags?",
        "tags",
        "The `tags` of a [batch](crate::docs::batches#batches) are those of one id, and may name it:",
    ),
];

/// How many clicks from the front page each page is.
fn clicks(pages: &BTreeMap<String, String>) -> BTreeMap<&str, usize> {
    let mut found = BTreeMap::from([("front", 0)]);
    let mut next = vec!["front"];
    while let Some(here) = next.pop() {
        let text = &pages[here];
        let linked = links(text).filter_map(|link| target(here, link));
        let named = text
            .split("[`docs::")
            .skip(1)
            .filter_map(|it| it.split('`').next());
        for page in linked.map(|(page, _)| page).chain(named) {
            let Some((page, _)) = pages.get_key_value(page) else {
                continue;
            };
            let far = found[here] + 1;
            if found.get(page.as_str()).is_none_or(|known| *known > far) {
                found.insert(page, far);
                next.push(page);
            }
        }
    }
    found
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn questions_are_answered_two_clicks_from_the_front_page() {
    let pages = pages();
    let clicks = clicks(&pages);
    for (question, page, answer) in QUESTIONS {
        let text = on_one_line(&pages[page]);
        assert!(text.contains(&on_one_line(answer)), "{question} {page}.md");
        let far = clicks.get(page);
        assert!(
            far.is_some_and(|far| *far <= 2),
            "{question} {page}: {far:?}"
        );
    }
}
