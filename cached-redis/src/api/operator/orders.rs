//! Modes for all processes of a namespace.

use std::time::Duration;

use serde::Serialize;

use super::Operator;
use super::entry::whole_millis;
use crate::engine::mode::Mode;
use crate::engine::orders;
use crate::error::Error;
use crate::store::Store as _;

/// What can be ordered at most: what is to last belongs into the program.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// That a function has this mode in all processes, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModeOrder {
    /// Its name, with or without its module, as it was given.
    pub function: String,
    /// How much it uses the cache.
    pub mode: Mode,
    /// For how long from now on.
    #[serde(rename = "left_ms", serialize_with = "whole_millis")]
    pub left: Duration,
}

impl Operator<'_> {
    /// Sets how much a function uses the cache, in **every** process of the namespace and for so long, 30 days at
    /// most. This process follows before the call returns, the others within 5 s, as long as they are
    /// [to follow](crate::Builder::follow_modes); those that start later begin with it. It comes before what
    /// programs say themselves. Writers invalidate in every mode.
    ///
    /// The function is named with or without its module, as in [`Cache::set_mode`](crate::Cache::set_mode). That it
    /// exists is not checked here: it may be one of another program. Who has none of this name ignores it; who has
    /// several warns, and leaves them as they are.
    ///
    /// It stands under `namespace:#modes`. An [eviction](crate::docs::redis#eviction) ends it early.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a time of less than 1 s or more than 30 days; [`Error::Store`];
    /// [`Error::Contended`] when others changed modes at every attempt.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may be set or not.
    pub async fn set_mode(
        &self,
        function: &str,
        mode: Mode,
        life: Duration,
    ) -> Result<ModeOrder, Error> {
        let fits = (Duration::from_secs(1)..=LONGEST).contains(&life);
        Error::require(fits, "life", "must be from 1 s to 30 days")?;
        orders::change(self.inner, function, Some((mode, life))).await?;
        Ok(ModeOrder {
            function: function.to_owned(),
            mode,
            left: life,
        })
    }

    /// Takes back what was set for a function under this very name: each process does again what it says itself.
    /// Whether anything was set.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; [`Error::Contended`] when others changed modes at every attempt.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may be taken back or not.
    pub async fn reset_mode(&self, function: &str) -> Result<bool, Error> {
        orders::change(self.inner, function, None).await
    }

    /// What is set for all processes now, in the order of the names.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn modes(&self) -> Result<Vec<ModeOrder>, Error> {
        let orders = orders::read(self.inner).await?;
        let now = self.inner.store.now_ms(&orders::key(&self.inner.namespace));
        let order = |(function, order): (&str, &orders::Order)| {
            Some(ModeOrder {
                function: function.to_owned(),
                mode: order.mode()?,
                left: order.left(now),
            })
        };
        Ok(orders.iter().filter_map(order).collect())
    }
}
