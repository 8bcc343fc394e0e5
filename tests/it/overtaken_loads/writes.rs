//! Every way to write.

use cached_redis::{Cache, Error, Invalidation, invalidates, testing};

use super::Cell;
use super::loads::{POLICY, tag};
use crate::support::{Source, World, eventually};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Write {
    Key,
    Keys,
    Annotated,
    AnnotatedTag,
    Tag,
    Pattern,
    Guarded,
    Commit,
    Put,
    PutThrough,
    Update,
    UpdateVersioned,
    Message,
}

pub(super) const WRITES: [Write; 13] = [
    Write::Key,
    Write::Keys,
    Write::Annotated,
    Write::AnnotatedTag,
    Write::Tag,
    Write::Pattern,
    Write::Guarded,
    Write::Commit,
    Write::Put,
    Write::PutThrough,
    Write::Update,
    Write::UpdateVersioned,
    Write::Message,
];

#[invalidates("overtaken:<id>", "overtaken-tagged:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

#[invalidates(tag = "overtaken-tag:<id>")]
async fn write_tag(source: &Source, id: u64) -> u64 {
    source.write()
}

const CHANNEL: &str = "overtaken";

impl Write {
    /// Whether it removes the lease and closes the flight: who comes after it loads at once.
    pub(super) fn lets_load(self) -> bool {
        let tag = matches!(self, Self::Tag | Self::AnnotatedTag);
        !tag && !matches!(self, Self::Put | Self::PutThrough | Self::Update)
    }

    /// Commits version 2 of the row, and returns when no read may show version 1 any
    /// more.
    pub(super) async fn run(self, world: &World, cache: &Cache, cell: &Cell) {
        let Cell {
            load, source, id, ..
        } = cell;
        let id = *id;
        let key = load.key(id);
        let by_hand = cache.entry(&key).policy(&POLICY).tags(load.tags(id));
        let commit = async || Ok::<_, Error>(source.write());
        let sent = match self {
            Self::Annotated => {
                cache.scope(write(source, id)).await;
                Ok(())
            }
            Self::AnnotatedTag => {
                cache.scope(write_tag(source, id)).await;
                Ok(())
            }
            Self::PutThrough => by_hand.put_through(commit).await.map(drop),
            Self::Update => {
                let update = |_: Option<u64>| Ok::<_, Error>(source.write());
                by_hand.update(update).await.map(drop)
            }
            Self::UpdateVersioned => cache.update_versioned(key, |_| commit()).await.map(drop),
            Self::Put => {
                let version = source.write();
                by_hand.put(&version).await.map(drop)
            }
            Self::Guarded => {
                let guard = cache.begin_write([&key]).await.unwrap();
                source.write();
                done(guard.finish().await)
            }
            Self::Commit => {
                let transaction = cache.after_commit();
                transaction.invalidate(&key);
                source.write();
                done(transaction.commit().await)
            }
            Self::Message => {
                source.write();
                send(world, cache, &key).await
            }
            _ => {
                source.write();
                done(self.invalidate(cache, key, id).await)
            }
        };
        sent.unwrap();
    }

    async fn invalidate(self, cache: &Cache, key: String, id: u64) -> Result<Invalidation, Error> {
        match self {
            Self::Keys => cache.invalidation().keys([key, tag(id)]).send().await,
            Self::Tag => cache.invalidate_tag(tag(id)).await,
            Self::Pattern => {
                cache
                    .invalidation()
                    .matching(format!("overtaken*:{id}"))
                    .send()
                    .await
            }
            _ => cache.invalidate(key).await,
        }
    }
}

fn done(sent: Result<Invalidation, Error>) -> Result<(), Error> {
    sent.map(|sent| assert_eq!(sent, Invalidation::Done))
}

/// Tells it as a program does that knows nothing of the cache.
async fn send(world: &World, cache: &Cache, key: &str) -> Result<(), Error> {
    let messages = cache.stats().total().ingested_messages;
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    match world.server() {
        Some(server) => server.run(&["PUBLISH", CHANNEL, key]),
        None => testing::publish(cache, CHANNEL, key.as_bytes())
            .await
            .unwrap(),
    }
    let ingested = async || cache.stats().total().ingested_messages > messages;
    eventually("the message", ingested).await;
    Ok(())
}
