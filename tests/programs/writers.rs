//! Everything that writes, in one list: the annotated functions, and the same by hand.

use std::time::Duration;

use cached_redis::{invalidates, write_through};

use crate::features::Feature::{self, *};
use crate::oracle::Target;
use crate::readers::{Boxed, MINUTE};
use crate::truth::Place;
use crate::value::{Failed, Value};

#[invalidates("plain:<id>")]
async fn set_plain(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates("plain:<result>", when = "ok")]
async fn set_if_ok(at: &Place, id: u8) -> Result<u8, Failed> {
    at.write_or_not(id).await.map(|()| id)
}

#[invalidates(
    "plain:<id>",
    "maybe:<id>",
    "draft:<id>",
    "said:<id>",
    "versioned:<id>",
    "ahead:<id>"
)]
#[invalidates("method:<id>", "failing:<id>", tag = "row:<id>")]
async fn set_row(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates(tag = "row:<id>")]
async fn set_tag(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates(tag = "all", tag = "deep")]
async fn set_all(at: &Place, id: u8) {
    at.write(id).await.ok();
}

/// Objects that move between tags.
#[invalidates(tag = "folder:1", tag = "folder:2")]
async fn move_row(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates(tag = "folder:<folder>")]
async fn set_folder(at: &Place, id: u8, folder: u8) -> Result<(), Failed> {
    let _ = folder;
    at.write(id).await
}

#[invalidates("page:<id>:*", "cart:<id>")]
async fn set_page(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates("plain:<id>", tag = "row:<id>", guard)]
async fn set_guarded(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates("plain:<id>", "maybe:<id>", guard = "require")]
async fn set_required(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[invalidates("plain:<id>", tag = "row:<id>", replica_lag = 0.005)]
async fn set_lagging(at: &Place, id: u8) -> Result<(), Failed> {
    at.write(id).await
}

#[write_through(key = "plain:<id>", ttl = 60, tags = [])]
async fn set_through(at: &Place, id: u8) -> Result<Value, Failed> {
    at.write(id).await?;
    Ok(at.now(&format!("plain:{id}"), id, &[]))
}

/// Its readers find a tag.
#[write_through(key = "found:<id>", ttl = 60, tags = ["row:<id>"])]
async fn set_found(at: &Place, id: u8) -> Result<Value, Failed> {
    at.write(id).await?;
    Ok(at.now(&format!("found:{id}"), id, &[&format!("row:{id}")]))
}

/// One way to write. What is committed through the connection that it is given is to be seen when it
/// has returned, by whatever its targets reach.
pub(crate) struct Writer {
    pub(crate) name: &'static str,
    pub(crate) features: &'static [Feature],
    pub(crate) targets: fn(u8) -> Vec<Target>,
    pub(crate) call: for<'a> fn(&'a Place, u8) -> Boxed<'a, ()>,
}

impl Writer {
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// Whether it can be a step of a transaction.
    pub(crate) fn collects(&self) -> bool {
        self.name.starts_with("set_") && self.name != "set_if_ok"
    }
}

pub(crate) fn writer(name: &str) -> &'static Writer {
    let found = WRITERS.iter().find(|writer| writer.name == name);
    found.expect("a writer of this name")
}

fn key(key: &str, id: u8) -> Target {
    Target::Key(format!("{key}:{id}"))
}

fn row(id: u8) -> Target {
    Target::Tag(format!("row:{id}"))
}

fn tag(tag: &str) -> Target {
    Target::Tag(tag.to_owned())
}

macro_rules! writers {
    ($($name:literal [$($feature:ident)*] ($at:ident, $id:ident) [$($target:expr),*] $call:expr;)*) => {
        pub(crate) static WRITERS: &[Writer] = &[$(Writer {
            name: $name,
            features: &[$($feature),*],
            targets: |$id| { let _ = $id; vec![$($target),*] },
            // How it went is seen from what was committed.
            call: |$at, $id| Box::pin(async move { let _ = $call; }),
        },)*];
    };
}

writers! {
    "set_plain" [] (at, id) [key("plain", id)] set_plain(at, id).await;
    "set_if_ok" [] (at, id) [key("plain", id)] set_if_ok(at, id).await;
    "set_row" [Tagged] (at, id) [
        key("plain", id), key("maybe", id), key("draft", id), key("said", id), key("versioned", id),
        key("ahead", id), key("method", id), key("failing", id), row(id)
    ] set_row(at, id).await;
    "set_tag" [Tagged] (at, id) [row(id)] set_tag(at, id).await;
    "set_all" [Tagged] (at, id) [tag("all"), tag("deep")] set_all(at, id).await;
    "set_folders" [Tagged] (at, id) [tag("folder:1"), tag("folder:2")] move_row(at, id).await;
    "set_folder_1" [Tagged] (at, id) [tag("folder:1")] set_folder(at, id, 1).await;
    "set_folder_2" [Tagged] (at, id) [tag("folder:2")] set_folder(at, id, 2).await;
    "set_page" [Patterns] (at, id) [key("page", id), Target::Key(format!("page:{id}:7")), key("cart", id)] set_page(at, id).await;
    "set_guarded" [Guard Tagged] (at, id) [key("plain", id), row(id)] set_guarded(at, id).await;
    "set_required" [Guard] (at, id) [key("plain", id), key("maybe", id)] set_required(at, id).await;
    "set_lagging" [Guard Tagged] (at, id) [key("plain", id), row(id)] set_lagging(at, id).await;
    "set_through" [WriteThrough] (at, id) [key("plain", id)] set_through(at, id).await;
    "set_found" [WriteThrough FoundTags] (at, id) [key("found", id)] set_found(at, id).await;

    // By hand: written and invalidated without a pause in between, so that a caller who is dropped has
    // done both or none.
    "invalidate_tags" [Tagged] (at, id) [row(id), tag("all")] {
        at.write_now(id);
        at.cache.invalidation().tags([&*format!("row:{id}"), "all"]).send().await
    };
    "invalidate_matching" [Patterns] (at, id) [Target::Prefix("plain:")] {
        at.write_now(id);
        at.cache.invalidation().matching("plain:*").send().await
    };
    "clear_plain" [Clear] (at, id) [Target::Prefix("plain:")] {
        at.write_now(id);
        at.cache.clear("functions::plain").await
    };
    "clear_tagged" [Clear Tagged] (at, id) [tag("fn:tagged")] {
        at.write_now(id);
        at.cache.clear("functions::tagged").await
    };
    "put_through" [WriteThrough Put] (at, id) [key("plain", id)] {
        let write = async || {
            at.write(id).await?;
            Ok::<_, Failed>(at.now(&format!("plain:{id}"), id, &[]))
        };
        at.cache.entry(format!("plain:{id}")).policy(&MINUTE).put_through(write).await
    };
    "begin_write" [Guard] (at, id) [key("plain", id), key("maybe", id)] {
        let keys = [format!("plain:{id}"), format!("maybe:{id}")];
        match at.cache.begin_write(&keys).await {
            Ok(guard) => {
                at.write(id).await.ok();
                guard.replica_lag(Duration::from_millis(2)).finish().await
            }
            Err(_) => {
                at.write_now(id);
                at.cache.invalidation().keys(&keys).send().await
            }
        }
    };
    "update_versioned" [Update] (at, id) [key("plain", id)] {
        at.cache.update_versioned(format!("plain:{id}"), |_| at.write(id)).await
    };

    // What is stored is what stands in the source, while nobody writes there.
    "put" [Put] (at, id) [] {
        let key = format!("plain:{id}");
        at.cache.put(&MINUTE, &key, &at.now(&key, id, &[])).await
    };
    "put_found" [Put FoundTags] (at, id) [] {
        let (key, tag) = (format!("found:{id}"), format!("row:{id}"));
        at.cache.entry(&key).policy(&MINUTE).tags([&tag]).put(&at.now(&key, id, &[&tag])).await
    };
    "put_tagged" [Put Tagged] (at, id) [] {
        let (key, tag) = (format!("hand:{id}"), format!("row:{id}"));
        let value = at.now(&key, id, &[&tag, "all"]);
        at.cache.entry(&key).policy(&MINUTE).tags([&tag, "all"]).put(&value).await
    };
}

/// Writes and invalidates the key of a reader.
pub(crate) async fn forget(at: &Place, key: &str, id: u8) {
    at.write_now(id);
    // How it went is counted.
    let _ = at.cache.invalidate(key).await;
}
