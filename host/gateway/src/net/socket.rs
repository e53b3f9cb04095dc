//! What a TCP connection is told: send at once, notice a peer that is gone, do not wait forever.
//!
//! The kernel keeps these times, so that a session needs no timers.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::options::LimitOptions;

/// Time between two questions to a peer that does not answer.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// Unanswered questions after which it is gone.
const PROBES_MAX: u32 = 4;

/// Prepares a connection that was accepted or made.
pub(crate) fn prepare(stream: &TcpStream, limits: &LimitOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    if !limits.keepalive.is_zero() {
        let keepalive = TcpKeepalive::new()
            .with_time(limits.keepalive)
            .with_interval(PROBE_INTERVAL.min(limits.keepalive))
            .with_retries(PROBES_MAX);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    // Also ends a connection whose peer answers but takes nothing: its window stays closed, what
    // is sent stays here. That is no keepalive's business.
    #[cfg(target_os = "linux")]
    if !limits.stall_timeout.is_zero() {
        socket.set_tcp_user_timeout(Some(limits.stall_timeout))?;
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_kernel_is_told_the_times_of_the_options() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap());
        let never = LimitOptions {
            keepalive: Duration::ZERO,
            stall_timeout: Duration::ZERO,
            ..LimitOptions::default()
        };
        let usual = LimitOptions::default();
        for (limits, keepalive, stall) in [(usual, true, 120), (never, false, 0)] {
            let stream = connect().await.unwrap();
            prepare(&stream, &limits).unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.keepalive().unwrap(), keepalive);
            if keepalive {
                assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
                assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
                assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES_MAX);
            }
            let told = socket.tcp_user_timeout().unwrap().unwrap_or_default();
            assert_eq!(told, Duration::from_secs(stall));
        }
    }
}
