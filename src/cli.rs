//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use plexus_runtime::layered::{Effective, Layers};

use crate::{call, mesh, output, roles::RoleName, settings::Settings, status};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "plexus.toml";

/// A gRPC service mesh in one binary.
#[derive(Debug, Parser)]
#[command(name = "plexus", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    layers: LayerFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where settings come from.
#[derive(Debug, Args)]
struct LayerFlags {
    /// The settings file; without it plexus.toml is read if it is there.
    #[arg(long, global = true, env = "PLEXUS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, such as --set ports.auth=50061; may be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the whole mesh in this process (the default).
    Up(Up),
    /// Runs some roles: auth, quota, ai, card, analytics, bridge.
    Serve(Serve),
    /// Shows what runs and whether it is ready.
    Status,
    /// Drains and stops one replica of a running mesh, such as quota-1.
    Drain {
        /// The name that `plexus status` shows.
        replica: String,
    },
    /// Logs in and remembers the tokens for `plexus call`.
    Login {
        /// The login name; the password is read from standard input.
        login_name: String,
    },
    /// Calls a method, such as: plexus call ai/Chat '{"messages":[…]}'
    Call {
        /// SERVICE/METHOD, or the full name plexus.ai.v1.ChatService/Chat.
        method: String,
        /// The request as JSON.
        #[arg(default_value = "{}")]
        json: String,
        /// Prints this field of the answer alone, a text as it is, such as --field html.
        #[arg(long)]
        field: Option<String>,
    },
    /// Prints the effective settings without secrets, and where each came from.
    Config,
}

#[derive(Debug, Args)]
struct Up {
    /// Replicas of each service; the first listens on the configured port, the others on free ones.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    replicas: u16,
    /// Where the embedded stores live.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

#[derive(Debug, Args)]
struct Serve {
    /// The roles of this process.
    #[arg(required = true)]
    roles: Vec<RoleName>,
}

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let mut flags = arguments.layers;
    let command = arguments.command.unwrap_or(Command::Up(Up { replicas: 1, data_dir: None }));
    if let Command::Up(Up { data_dir: Some(folder), .. }) = &command {
        flags.set.push(format!("data_dir={folder}"));
    }
    let effective = read(flags)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Export of the last spans needs a second worker while the first waits for it.
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
        .enable_all()
        .build()
        .context("the asynchronous runtime could not start")?;
    runtime.block_on(async {
        match command {
            Command::Up(up) => mesh::up(effective.settings, up.replicas).await,
            Command::Serve(serve) => mesh::serve(effective.settings, &serve.roles).await,
            Command::Status => status::print(&effective.settings).await,
            Command::Drain { replica } => status::drain(&effective.settings, &replica).await,
            Command::Login { login_name } => call::login(&effective.settings, &login_name).await,
            Command::Call { method, json, field } => {
                call::call(&effective.settings, &call::Request { method, json, field }).await
            }
            Command::Config => print_settings(&effective),
        }
    })
}

fn read(flags: LayerFlags) -> Result<Effective<Settings>> {
    let path = match flags.config {
        Some(path) => Some(path),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
    };
    let file = match path {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("the settings file {} could not be read", path.display()))?;
            Some((path.display().to_string(), text))
        }
    };
    let layers = Layers { file, environment: std::env::vars().collect(), flags: flags.set };
    Ok(layers.read()?)
}

fn print_settings(effective: &Effective<Settings>) -> Result<()> {
    output::line(&toml::to_string(&effective.settings)?)?;
    for (key, origin) in &effective.origins {
        output::line(&format!("# {key} comes from {origin}"))?;
    }
    Ok(())
}
