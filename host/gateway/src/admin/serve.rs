//! Connections to the endpoint: HTTP/1.1, few of them, none for long.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::observed::Observed;
use super::respond::{Access, respond};
use super::socket::Socket;

/// Connections at once. One scraper and one or two probes are ordinary.
const CONNECTIONS_MAX: usize = 32;

/// Bytes of a request's head, which is also the read buffer. A scraper's has half a kilobyte.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Time for a request's head, from the end of the answer before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(65);

/// Time that one connection may stay: a reader that takes nothing does not keep its place for
/// good. A scraper that keeps its connection makes a new one every few minutes.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(300);

/// Threads that compile components. They are loaded one after the other, so a second only waits.
pub(super) const LOADS_MAX: usize = 2;

/// After an accept failed for want of a resource: long enough not to spin, short for a person.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where requests come from.
#[derive(Debug)]
pub(super) struct Sockets {
    pub tcp: Option<std::net::TcpListener>,
    pub unix: Option<Socket>,
}

/// Answers until the stop.
pub(super) async fn run(
    Sockets { tcp, unix }: Sockets,
    observed: Arc<Observed>,
    mut stop: watch::Receiver<bool>,
) {
    let door = Door { observed, open: Arc::default() };
    let tcp = tcp.map(tokio::net::TcpListener::from_std).transpose();
    let listener = unix.as_ref().map(|socket| socket.listener.try_clone()).transpose();
    let unix_listener =
        listener.and_then(|it| it.map(tokio::net::UnixListener::from_std).transpose());
    let (tcp, unix_listener) = match (tcp, unix_listener) {
        (Ok(tcp), Ok(unix)) => (tcp, unix),
        (Err(error), _) | (_, Err(error)) => return warn!(%error, "no admin endpoint"),
    };
    let of_tcp = async {
        let Some(tcp) = &tcp else { return std::future::pending().await };
        loop {
            let accepted = tcp.accept().await.map(|(stream, _)| stream);
            door.enter(accepted, Access::Read).await;
        }
    };
    let of_unix = async {
        let Some(unix) = &unix_listener else { return std::future::pending().await };
        loop {
            let accepted = unix.accept().await.map(|(stream, _)| stream);
            door.enter(accepted, Access::Write).await;
        }
    };
    tokio::select! {
        () = of_tcp => {}
        () = of_unix => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Lets connections in, up to a number.
#[derive(Debug)]
struct Door {
    observed: Arc<Observed>,
    open: Arc<AtomicUsize>,
}

/// One connection's place.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    async fn enter<S>(&self, accepted: io::Result<S>, access: Access)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                warn!(%error, "admin endpoint: accept failed");
                return sleep(ACCEPT_PAUSE).await;
            }
        };
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.open));
        if before >= CONNECTIONS_MAX {
            return self.observed.counters().admin_requests.refused.add(1);
        }
        let observed = Arc::clone(&self.observed);
        tokio::spawn(async move {
            serve(stream, access, observed).await;
            drop(place);
        });
    }
}

/// One connection, to its end.
async fn serve<S>(stream: S, access: Access, observed: Arc<Observed>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let observed = Arc::clone(&observed);
        async move { Ok::<_, std::convert::Infallible>(respond(request, access, observed).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIME_MAX, connection).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => debug!(%error, "admin connection ended"),
    }
}
