//! A TCP pass-through that keeps what went by in both directions.
//!
//! ```text
//! client ──▶ Recorder ──▶ target
//!            └ Session { to_target, to_client }
//! ```
//!
//! It delays nothing on purpose and changes nothing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

/// Most bytes kept of one direction; what comes after them passes unrecorded. Recorded sessions
/// are short: the largest message of these tests is one megabyte.
const DIRECTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The usual size of one read from a socket.
const READ_BYTES: usize = 64 * 1024;

/// What went over one connection so far.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// From the client to the target.
    pub to_target: Vec<u8>,
    /// From the target to the client.
    pub to_client: Vec<u8>,
}

/// A listener in front of a target.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    stopped: AtomicBool,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    sessions: Vec<Session>,
    sockets: Vec<TcpStream>,
}

#[derive(Clone, Copy)]
enum Direction {
    ToTarget,
    ToClient,
}

impl Recorder {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let stopped = AtomicBool::new(false);
        let shared = Arc::new(Shared { target, stopped, taken: Mutex::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(io::Result::ok) {
                if accepting.stopped.load(Ordering::Acquire) {
                    return;
                }
                // A target that is not there shows to the client as a closed connection.
                drop(accepting.clone().relay(client));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as NATS clients want it.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The sessions so far, in the order in which the clients connected.
    pub fn sessions(&self) -> Vec<Session> {
        self.shared.taken().sessions.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        for socket in &self.shared.taken().sockets {
            drop(socket.shutdown(Shutdown::Both));
        }
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relay(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let target = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        target.set_nodelay(true)?;
        let number = {
            let mut taken = self.taken();
            taken.sockets.extend([client.try_clone()?, target.try_clone()?]);
            taken.sessions.push(Session::default());
            taken.sessions.len() - 1
        };
        let (client_too, target_too) = (client.try_clone()?, target.try_clone()?);
        let other = Arc::clone(&self);
        thread::spawn(move || self.copy(number, Direction::ToTarget, client, target));
        thread::spawn(move || other.copy(number, Direction::ToClient, target_too, client_too));
        Ok(())
    }

    fn copy(&self, number: usize, way: Direction, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            if let Some(session) = self.taken().sessions.get_mut(number) {
                let kept = match way {
                    Direction::ToTarget => &mut session.to_target,
                    Direction::ToClient => &mut session.to_client,
                };
                let room = DIRECTION_BYTES_MAX.saturating_sub(kept.len());
                kept.extend_from_slice(&bytes[..length.min(room)]);
            }
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        // Half-close: the other direction may still have something to say.
        drop(to.shutdown(Shutdown::Write));
    }
}
