//! The cache that is meant.

use std::fs;
use std::path::Path;

use cached_redis::catalog::Exported;
use cached_redis::operator::Operator;
use cached_redis::{Cache, OnFailover};

use crate::args::Place;
use crate::failure::Failure;

/// The cache, and what is known of its program.
pub(crate) struct Site {
    pub(crate) cache: Cache,
    pub(crate) catalog: Option<Exported>,
    pub(crate) namespace: String,
}

impl Site {
    pub(crate) fn operator(&self) -> Operator<'_> {
        match &self.catalog {
            Some(catalog) => self.cache.operator().with_catalog(catalog),
            None => self.cache.operator(),
        }
    }
}

impl Place {
    pub(crate) async fn open(&self) -> Result<Site, Failure> {
        let url = self.url()?;
        let namespace = self.namespace.clone().unwrap_or_default();
        // A server alone has the number of its epoch under a key, where it can be looked up; in a cluster it is
        // known to those alone who have epochs.
        let epochs = match url.contains("+cluster://") {
            true => OnFailover::Epoch,
            false => OnFailover::Ttl,
        };
        let mut builder = Cache::builder()
            .url(url)
            .namespace(&namespace)
            .require_connection(true)
            .connect_timeout(self.timeout)
            .deadline(self.timeout)
            .on_failover(epochs)
            // Nobody knows from here whether the writers are guarded, or write behind: what they need is spared.
            .guarded(true)
            .follow_modes(false);
        if let Some(file) = &self.tls_ca {
            builder = builder.tls_ca(read(file)?);
        }
        let cache = builder.build().await?;
        Ok(Site {
            cache,
            catalog: self.catalog()?,
            namespace,
        })
    }

    fn url(&self) -> Result<String, Failure> {
        let set = |text: &String| !text.is_empty();
        let url = self.url.clone().filter(set);
        let url = url.or_else(|| std::env::var("REDIS_URL").ok().filter(set));
        let url = url.ok_or_else(|| {
            Failure::with_help(
                "no address of a store",
                "give --url redis://host:port, or set CACHED_REDIS_URL or REDIS_URL",
            )
        })?;
        match url.starts_with("memory:") {
            false => Ok(url),
            true => Err(Failure::with_help(
                "`memory://` is inside of the program: nobody can look into it from here",
                "give the address of the Redis that the program uses, or look at its dashboard",
            )),
        }
    }

    pub(crate) fn catalog(&self) -> Result<Option<Exported>, Failure> {
        self.catalog.as_deref().map(catalog).transpose()
    }

    pub(crate) fn needs_catalog(&self) -> Result<Exported, Failure> {
        self.catalog()?.ok_or_else(|| {
            Failure::with_help(
                "the functions of the program are not known",
                "give --catalog FILE, with what the program has exported: \
                 serde_json::to_string(&cache.catalog())",
            )
        })
    }
}

/// The catalogue in a file.
pub(crate) fn catalog(file: &Path) -> Result<Exported, Failure> {
    Exported::from_json(&read(file)?).map_err(|_| {
        let problem = format!("{} is not the catalogue of a program", file.display());
        Failure::with_help(
            problem,
            "export it by serde_json::to_string(&cache.catalog())",
        )
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    let problem = |error| Failure::new(format!("{} cannot be read: {error}", file.display()));
    fs::read_to_string(file).map_err(problem)
}
