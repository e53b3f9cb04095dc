//! Arguments of `spanbridge component`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const HELP: &str = "\
Examples:
  spanbridge component show --admin-socket /run/spanbridge/admin.sock
  spanbridge component load other.wasm --admin-socket /run/spanbridge/admin.sock

The gateway compiles the file and tries it out beside its messages. If it is not fit to be used,
the loaded one stays, and the command says why.

Status: 0 when it is loaded, 1 when it is refused or no gateway answers.";

/// Arguments of `spanbridge component`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct ComponentArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: ComponentVerb,
}

/// What is done about a gateway's component, or about one that is to be built in.
#[derive(Clone, Debug, Subcommand)]
pub enum ComponentVerb {
    /// Compile a component for extensions of brokers, which have no compiler in them.
    ///
    /// The file is not loaded by anything: it is named by SPANBRIDGE_PRECOMPILED when an extension
    /// is built.
    Precompile {
        /// Where the code goes.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Another component than the one inside the program.
        #[arg(long, value_name = "FILE")]
        component: Option<PathBuf>,
    },
    /// Load a file in place of the component that the gateway has.
    Load {
        /// The component.
        file: PathBuf,
        /// The gateway's --admin-socket.
        #[arg(long, value_name = "PATH")]
        admin_socket: PathBuf,
    },
    /// Print which component the gateway has, as JSON.
    Show {
        /// The gateway's --admin-socket.
        #[arg(long, value_name = "PATH")]
        admin_socket: PathBuf,
    },
}
