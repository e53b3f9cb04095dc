//! The connection to the server: who we are, how it is secured, what is said when it changes.
//!
//! It has a thread of its own. A burst is read from the socket in one go, and a thread that turns
//! events into spans does not read meanwhile.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::{fs, io};

use async_nats::{Client, ConnectOptions, Event, Message, ServerAddr};
use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

use super::waiting::{Exit, queue};
use crate::cli::NatsEventsArgs;
use crate::failure::Failure;

/// Events that the library holds at most. It takes some megabytes from the socket before anything
/// else of the thread gets a turn; then all of them move into a queue that is bounded by bytes.
const READ_EVENTS_MAX: usize = 1 << 16;

/// Notices about the connection that wait to be logged. More of them are not worth reading.
const NOTICES_MAX: usize = 64;

/// How long a server has to accept a connection. Across an ocean it takes less than one second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How we call ourselves in the server's list of connections.
const CLIENT_NAME: &str = "spanbridge nats-events";

/// Name of the connection's thread. Linux shows fifteen bytes.
const THREAD_NAME: &str = "nats-events";

/// The thread that connections live on. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Network {
    handle: Handle,
    _running: oneshot::Sender<()>,
}

/// A connection that reads the trace subject.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    events: Exit,
    taken: u64,
}

/// What is said of a connection while it lasts.
pub(super) type Notices = mpsc::Receiver<Event>;

impl Network {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        let body = move || {
            // An error, as nothing is ever sent: the other end is gone.
            let _ = runtime.block_on(ended);
        };
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(body)?;
        Ok(Self { handle, _running: running })
    }

    /// Connects and subscribes; the server knows of the subscription when this answers.
    pub(super) async fn connect(
        &self,
        args: &NatsEventsArgs,
    ) -> Result<(Connection, Notices), Failure> {
        let args = args.clone();
        let connecting = self.handle.spawn(async move { connect(&args).await });
        connecting.await.map_err(|error| Failure::new("cannot connect").because(error))?
    }
}

impl Connection {
    /// The next event; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.events.next().await?;
        self.taken += 1;
        Some(message)
    }

    /// Tells the server to send no more. Answers whether what it has sent is still to be had.
    pub(super) async fn drain(&mut self) -> bool {
        self.client.drain().await.is_ok()
    }

    /// Events that arrived and were not taken. This is exact, as notices of it are not: they come
    /// as fast as the events and are lost like them.
    pub(super) fn missed(&self) -> u64 {
        let arrived = self.client.statistics().in_messages.load(Ordering::Relaxed);
        arrived.saturating_sub(self.taken)
    }
}

async fn connect(args: &NatsEventsArgs) -> Result<(Connection, Notices), Failure> {
    let (notice, notices) = mpsc::channel(NOTICES_MAX);
    let options = options(args)?.event_callback(move |event| {
        // A full channel forgets the notice rather than hold up the connection.
        let _ = notice.try_send(event);
        async {}
    });
    let servers: Result<Vec<ServerAddr>, _> =
        args.broker.iter().map(|address| address.to_string().parse()).collect();
    let servers = servers.map_err(|error| Failure::usage("cannot use --broker").because(error))?;
    let names: Vec<_> = args.broker.iter().map(ToString::to_string).collect();
    let client = options.connect(servers).await.map_err(|error| {
        // As text: the error says all of its causes itself.
        Failure::new(format!("cannot connect to {}", names.join(", "))).because(error.to_string())
    })?;
    let subject = &args.subject;
    let subscribed = client.queue_subscribe(subject.clone(), args.queue.clone()).await;
    let mut subscribed = subscribed.map_err(|error| {
        Failure::usage(format!("cannot subscribe to `{subject}`")).because(error)
    })?;
    let flushed = client.flush().await;
    flushed.map_err(|error| Failure::new("the server has gone").because(error))?;
    let (entrance, events) = queue();
    tokio::spawn(async move {
        while let Some(message) = subscribed.next().await {
            entrance.offer(message);
        }
    });
    Ok((Connection { client, events, taken: 0 }, notices))
}

fn options(args: &NatsEventsArgs) -> Result<ConnectOptions, Failure> {
    let mut options = ConnectOptions::new()
        .name(CLIENT_NAME)
        .connection_timeout(CONNECT_TIMEOUT)
        .subscription_capacity(READ_EVENTS_MAX)
        // For ever: a server that comes back is what we wait for.
        .max_reconnects(None)
        .require_tls(args.tls);
    if let (Some(user), Some(file)) = (&args.user, &args.password_file) {
        options = options.user_and_password(user.clone(), secret(file)?);
    }
    if let Some(file) = &args.token_file {
        options = options.token(secret(file)?);
    }
    if let Some(file) = &args.creds {
        let refused = || format!("no JWT and nkey seed in {}", file.display());
        let credentials = options.credentials(&secret(file)?);
        options = credentials.map_err(|error| Failure::usage(refused()).because(error))?;
    }
    if let Some(file) = &args.tls_ca {
        options = options.add_root_certificates(file.clone());
    }
    if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(options)
}

/// What a file holds, without the line end that editors add.
fn secret(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read {}", file.display())).because(error)
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
