//! What a running mesh says of itself through its admin port.

use anyhow::{Context as _, Result, bail};
use http::Method;
use plexus_runtime::admin::{self, ReplicaStatus};

use crate::{output, settings::Settings, table};

/// Prints the table of replicas; fails when one does not serve.
pub(crate) async fn print(settings: &Settings) -> Result<()> {
    let (_, answer) = ask(settings, Method::GET, "/status").await?;
    let replicas: Vec<ReplicaStatus> =
        serde_json::from_str(&answer).context("the admin port answered something else than a status")?;
    for line in table::lines(&replicas) {
        output::line(&line)?;
    }
    if replicas.iter().any(|replica| !replica.report.state.serves()) {
        bail!("not everything is ready");
    }
    Ok(())
}

/// Drains and stops one replica.
pub(crate) async fn drain(settings: &Settings, replica: &str) -> Result<()> {
    let (status, answer) = ask(settings, Method::POST, &format!("/replicas/{replica}/drain")).await?;
    if !status.is_success() {
        bail!("{}", answer.trim());
    }
    output::line(answer.trim())?;
    Ok(())
}

async fn ask(settings: &Settings, method: Method, path: &str) -> Result<(http::StatusCode, String)> {
    let host = match settings.listen_address.as_str() {
        "0.0.0.0" | "::" => "127.0.0.1",
        host => host,
    };
    let address = format!("{host}:{}", settings.ports.admin);
    admin::ask(&address, method, path).await.map_err(|error| anyhow::anyhow!(error)).with_context(|| {
        format!("no mesh answers at {address}; start one with `plexus up`, or set ports.admin")
    })
}
