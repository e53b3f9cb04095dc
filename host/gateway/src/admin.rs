//! The admin endpoint: what the gateway counts, whether it is well, and which component it runs.
//!
//! ```text
//! 127.0.0.1:9464   GET /metrics  /healthz  /readyz  /component          for scrapers and probes
//! admin.sock       the same, and POST /component (the bytes of a file)   for whoever may change it
//! ```
//!
//! Whoever can load a component decides about every trace and sees headers and bodies. So that
//! goes through a socket in the file system which only the gateway's own user can open; what any
//! program of the machine can reach, changes nothing.
//!
//! It runs on a thread of its own with an event loop of its own, so that a page of metrics or a
//! component that compiles holds up no message.

pub mod client;
#[cfg(test)]
mod documented;
mod exposition;
mod observed;
mod page;
mod respond;
mod serve;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

pub use observed::Observed;
pub(crate) use observed::{BEAT_INTERVAL, Beat, Beats};
use serve::Sockets;
use socket::Socket;

/// Where the endpoint is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminConfig {
    /// For reading. `None`: nowhere.
    pub address: Option<SocketAddr>,
    /// For reading and for loading a component. `None`: nowhere.
    pub socket: Option<PathBuf>,
}

impl AdminConfig {
    /// Refuses an address that other machines can reach, unless that is meant.
    pub(crate) fn check(&self, allow_remote: bool) -> Result<(), String> {
        match self.address {
            Some(address) if !address.ip().is_loopback() && !allow_remote => Err(format!(
                "admin {address} can be reached from other machines, which would see destinations \
                 and trace ids; listen on a loopback address, or say --allow-remote \
                 (allow_remote = true) if that is meant"
            )),
            _ => Ok(()),
        }
    }
}

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("admin {address}: cannot listen: {source}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("admin_socket {path}: {what}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// The operating system refuses a thread.
    #[error("cannot start the admin thread: {0}")]
    Thread(io::Error),
}

/// A running endpoint, which ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Listens and answers from then on.
    ///
    /// # Errors
    ///
    /// Fails when the address or the socket cannot be had.
    pub fn start(config: &AdminConfig, observed: Observed) -> Result<Self, AdminError> {
        let tcp = config.address.map(listen).transpose()?;
        let address = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
        let unix = config.socket.as_deref().map(Socket::bind).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(serve::LOADS_MAX)
            .build()
            .map_err(AdminError::Thread)?;
        let (stop, stopped) = watch::channel(false);
        let observed = Arc::new(observed);
        let body = move || {
            runtime.block_on(serve::run(Sockets { tcp, unix }, observed, stopped));
            // A component that is still compiling is not waited for.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("spanbridge-admin".into()).spawn(body);
        Ok(Self { address, stop, thread: Some(thread.map_err(AdminError::Thread)?) })
    }

    /// Where it listens for reading, with the port that it got.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // Nobody listens any more if the thread is gone.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, AdminError> {
    let listen = || {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    listen().map_err(|source| AdminError::Address { address, source })
}
