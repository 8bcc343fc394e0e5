//! The connection beside the stream, to the same server: it looks what is visible, and after the slot.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::snapshot::Snapshot;
use super::target::Target;
use crate::{Error, Lsn};

/// Who a server is, and since when: another one, or one that was restarted, gives another text.
pub(super) const WHO: &str = "SELECT (SELECT system_identifier FROM pg_control_system()) || ' ' || \
     extract(epoch FROM pg_postmaster_start_time())";

/// The answer to [`WHO`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity(pub(super) String);

/// See the module.
pub(super) struct Primary {
    client: Client,
    connection: JoinHandle<()>,
    look: Statement,
    target: Target,
    pub(super) identity: Identity,
    /// Which server, and which of its timelines: places in the log of others say nothing of this one.
    pub(super) history: String,
}

/// How a slot stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Missing,
    /// What it should have kept is gone.
    Lost,
    /// Somebody reads it, and has confirmed all before.
    Busy(Lsn),
    Free,
}

/// What an operator wants to know of a slot.
pub(super) struct Retained {
    pub(super) bytes: Option<u64>,
    pub(super) limit: Option<u64>,
}

/// What is visible.
pub(super) struct Look {
    pub(super) snapshot: Snapshot,
    /// By the clock of the server, which tells the times of commits too.
    pub(super) now: SystemTime,
}

const HISTORY: &str = "SELECT system_identifier || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8) \
     FROM pg_control_system()";

const LOOK: &str = "SELECT pg_is_in_recovery(), pg_current_snapshot()::text, \
     extract(epoch FROM clock_timestamp())::float8";

const SETTINGS: &str = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), \
     current_setting('wal_level'), \
     (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) \
         OR coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'rds_replication'), false), \
     EXISTS (SELECT FROM pg_publication WHERE pubname = $1)";

const SLOT: &str = "SELECT plugin = 'pgoutput' AND database = current_database(), active, \
     coalesce(wal_status, '') = 'lost', confirmed_flush_lsn \
     FROM pg_replication_slots WHERE slot_name = $1";

const RETAINED: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8, \
     (SELECT setting::float8 * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size') \
     FROM pg_replication_slots WHERE slot_name = $1";

impl Primary {
    pub(super) async fn connect(target: &Target) -> Result<Self, Error> {
        let connected = target.in_time(target.config.connect(NoTls)).await??;
        let (client, connection) = connected;
        // Its end is seen by whoever asks next.
        let connection = tokio::spawn(async move { drop(connection.await) });
        let ready = async {
            let look = client.prepare(LOOK).await?;
            let who: String = client.query_one(WHO, &[]).await?.try_get(0)?;
            Ok::<_, Error>((look, Identity(who)))
        };
        let (look, identity) = match target.in_time(ready).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(error)) | Err(error) => {
                connection.abort();
                return Err(error);
            }
        };
        let mut primary = Self {
            client,
            connection,
            look,
            target: target.clone(),
            identity,
            history: String::new(),
        };
        primary.check().await?;
        // No standby could say it.
        let history = primary.client.query_one(HISTORY, &[]);
        primary.history = target.in_time(history).await??.try_get(0)?;
        Ok(primary)
    }

    async fn check(&self) -> Result<(), Error> {
        let row = self.one(SETTINGS, &self.target.publication).await?;
        let version: i32 = row.try_get(0)?;
        let level: String = row.try_get(2)?;
        match (
            version / 10_000,
            row.try_get(1)?,
            &*level,
            row.try_get(3)?,
            row.try_get(4)?,
        ) {
            (major, ..) if major < 14 => Err(Error::Version(major)),
            (_, true, ..) => Err(Error::Standby),
            (_, _, level, ..) if level != "logical" => Err(Error::WalLevel(level.to_owned())),
            (_, _, _, false, _) => Err(Error::Role),
            (.., false) => Err(Error::NoPublication(self.target.publication.clone())),
            _ => Ok(()),
        }
    }

    async fn one(&self, query: &str, name: &str) -> Result<Row, Error> {
        Ok(self
            .target
            .in_time(self.client.query_one(query, &[&name]))
            .await??)
    }

    async fn of_slot(&self, query: &str, slot: &str) -> Result<Option<Row>, Error> {
        Ok(self
            .target
            .in_time(self.client.query_opt(query, &[&slot]))
            .await??)
    }

    /// What is visible now; an error where that cannot be said.
    pub(super) async fn look(&self) -> Result<Look, Error> {
        let answer = self.client.query_one(&self.look, &[]);
        let row = self.target.in_time(answer).await??;
        if row.try_get(0)? {
            return Err(Error::Standby);
        }
        let snapshot = Snapshot::parse(row.try_get(1)?);
        Ok(Look {
            snapshot: snapshot
                .ok_or_else(|| Error::Stream("a snapshot that is none".to_owned()))?,
            now: UNIX_EPOCH + Duration::from_secs_f64(row.try_get::<_, f64>(2)?.max(0.0)),
        })
    }

    pub(super) async fn slot(&self, slot: &str) -> Result<Slot, Error> {
        let Some(row) = self.of_slot(SLOT, slot).await? else {
            return Ok(Slot::Missing);
        };
        if !row.try_get::<_, Option<bool>>(0)?.unwrap_or(false) {
            return Err(Error::ForeignSlot(slot.to_owned()));
        }
        let confirmed: Option<PgLsn> = row.try_get(3)?;
        Ok(match (row.try_get(1)?, row.try_get(2)?) {
            (true, _) => Slot::Busy(confirmed.map_or(Lsn::default(), Lsn::from)),
            (false, true) => Slot::Lost,
            (false, false) => Slot::Free,
        })
    }

    pub(super) async fn retained(&self, slot: &str) -> Result<Option<Retained>, Error> {
        let Some(row) = self.of_slot(RETAINED, slot).await? else {
            return Ok(None);
        };
        let bytes = |at| {
            let bytes: Option<f64> = row.try_get(at)?;
            Ok::<_, Error>(
                bytes
                    .filter(|bytes| *bytes >= 0.0)
                    .map(|bytes| bytes as u64),
            )
        };
        Ok(Some(Retained {
            bytes: bytes(0)?,
            limit: bytes(1)?,
        }))
    }

    /// Keeps others from making the slot, as long as this connection lives; `false`: somebody else does.
    pub(super) async fn lock(&self, slot: &str) -> Result<bool, Error> {
        let lock = "SELECT pg_try_advisory_lock(hashtextextended('cached-redis ' || $1::text, 0))";
        Ok(self.one(lock, slot).await?.try_get(0)?)
    }

    /// Makes a slot. It waits for the transactions that are running, however long they do.
    pub(super) async fn create(&self, slot: &str) -> Result<(), Error> {
        let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')::text";
        Ok(self.client.query_one(create, &[&slot]).await.map(drop)?)
    }

    /// Drops a slot, if it is there.
    pub(super) async fn remove(&self, slot: &str) -> Result<(), Error> {
        let drop_it = "SELECT pg_drop_replication_slot(slot_name)::text FROM pg_replication_slots WHERE slot_name = $1";
        self.of_slot(drop_it, slot).await.map(drop)
    }

    /// Makes a slot `to` that is where `from` is.
    pub(super) async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let copy = "SELECT pg_copy_logical_replication_slot($1, $2)::text";
        self.target
            .in_time(self.client.query_one(copy, &[&from, &to]))
            .await??;
        Ok(())
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
