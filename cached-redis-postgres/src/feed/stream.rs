//! The stream of a slot.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use pgwire_replication::{ReplicationClient, ReplicationConfig, ReplicationEvent};

use super::primary::{Identity, WHO};
use super::target::Target;
use super::window::time;
use crate::{Error, Lsn};

/// What comes.
pub(super) enum Event {
    Begin {
        xid: u32,
        committed: SystemTime,
    },
    Message {
        prefix: String,
        content: Vec<u8>,
        transactional: bool,
        lsn: Lsn,
    },
    Commit {
        end: Lsn,
    },
    /// All that ends before it has come.
    Idle {
        end: Lsn,
    },
}

/// The session that holds the slot. Dropped, it lets go of it.
pub(super) struct Stream(ReplicationClient);

impl Stream {
    /// Takes the slot, on the very server that `server` is.
    pub(super) async fn open(
        target: &Target,
        slot: &str,
        server: &Identity,
    ) -> Result<Self, Error> {
        let mut client = ReplicationClient::connect_gated(config(target, slot)).await?;
        let rows = target.in_time(client.simple_query(WHO)).await??;
        let column = rows.first().and_then(|row| row.first()?.as_deref());
        if column != Some(server.0.as_bytes()) {
            return Err(Error::TwoServers);
        }
        client.start().await?;
        target.in_time(client.wait_started()).await??;
        Ok(Self(client))
    }

    /// What comes next.
    ///
    /// Cancel safe, as long as there is a next one.
    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let ended = || Error::Stream("it ended".to_owned());
            let event = self.0.recv().await?.ok_or_else(ended)?;
            if let Some(event) = known(event) {
                return Ok(event);
            }
        }
    }

    /// What has come already.
    pub(super) fn ready(&mut self) -> Option<Result<Event, Error>> {
        let next = pin!(self.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    /// All that ends before `end` need not come again.
    pub(super) fn confirm(&self, end: Lsn) {
        self.0.update_applied_lsn(pgwire_replication::Lsn(end.0));
    }
}

fn known(event: ReplicationEvent) -> Option<Event> {
    let lsn = |lsn: pgwire_replication::Lsn| Lsn(lsn.as_u64());
    Some(match event {
        ReplicationEvent::Begin {
            xid,
            commit_time_micros,
            ..
        } => Event::Begin {
            xid,
            committed: time(commit_time_micros),
        },
        ReplicationEvent::Commit { end_lsn, .. } => Event::Commit { end: lsn(end_lsn) },
        ReplicationEvent::KeepAlive { wal_end, .. } => Event::Idle { end: lsn(wal_end) },
        ReplicationEvent::Message {
            transactional,
            lsn: at,
            prefix,
            content,
        } => Event::Message {
            prefix,
            content: content.to_vec(),
            transactional,
            lsn: lsn(at),
        },
        // Of rows, which an empty publication does not send.
        ReplicationEvent::XLogData { .. } | ReplicationEvent::StoppedAt { .. } => return None,
    })
}

fn config(target: &Target, slot: &str) -> ReplicationConfig {
    let Target {
        host,
        port,
        user,
        password,
        database,
        publication,
        ..
    } = target;
    let publication = publication.as_str();
    let config = match host.starts_with('/') {
        true => ReplicationConfig::unix(host, *port, user, password, database, slot, publication),
        false => ReplicationConfig::new(host, user, password, database, slot, publication)
            .with_port(*port),
    };
    let mut config = config;
    // Soon, since others learn by it how far the feed is.
    config.status_interval = super::target::FEEDBACK;
    config.application_name = Some("cached-redis".to_owned());
    config
}

impl From<pgwire_replication::PgWireError> for Error {
    fn from(error: pgwire_replication::PgWireError) -> Self {
        Self::Stream(error.to_string())
    }
}
