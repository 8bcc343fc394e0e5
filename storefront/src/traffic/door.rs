//! Where the shop is entered.

use std::env;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::{Failed, Settings};
use crate::shop;

pub(crate) struct Door {
    pub(crate) url: String,
    /// Ended with it.
    _process: Option<Child>,
}

impl Door {
    /// One of this process.
    pub(crate) async fn here(settings: &Settings) -> Result<Self, Failed> {
        let (_, router) = shop(settings).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            url,
            _process: None,
        })
    }

    /// One of another process, with the same database and the same entries.
    pub(crate) async fn beside(settings: &Settings) -> Result<Self, Failed> {
        let mut command = Command::new(env::current_exe()?);
        if settings.is_local {
            command.arg("--local");
        }
        command
            .envs(settings.variables())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn()?;
        let output = process.stdout.take().ok_or("its output is piped")?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next_line().await?.unwrap_or_default();
        // The rest has somewhere to go.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = first
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let url = url.ok_or("the second process has not opened")?.to_owned();
        Ok(Self {
            url,
            _process: Some(process),
        })
    }
}
