//! A broker made of one socket: it does what a test tells it, which no real broker would.

use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::Result;

use crate::wait::{BOUND, eventually};

/// Where it listens.
#[derive(Debug)]
pub struct Peer {
    listener: TcpListener,
}

impl Peer {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// The same, as a gateway wants it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn url(&self) -> Result<String> {
        Ok(format!("nats://{}", self.address()?))
    }

    /// The next connection.
    ///
    /// # Errors
    /// When none comes.
    pub fn accept(&self) -> Result<TcpStream> {
        let stream = eventually("a connection to the peer", BOUND, || {
            Ok(self.listener.accept().ok().map(|(stream, _)| stream))
        })?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.set_write_timeout(Some(BOUND))?;
        Ok(stream)
    }

    /// Answers whether a connection waits to be accepted.
    pub fn is_wanted(&self) -> bool {
        self.listener.accept().is_ok()
    }
}
