//! Tells the service manager what the program is doing, if one wants to know.
//!
//! This is the protocol of `sd_notify(3)`: a datagram of `NAME=value` lines to the socket in
//! `NOTIFY_SOCKET`. A unit says `Type=notify`, and `ExecReload=kill -HUP $MAINPID`.

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Every listener listens, or a reload is over.
    Ready,
    /// A reload has begun.
    Reloading,
    /// The stop has begun.
    Stopping,
}

impl State {
    fn lines(self) -> &'static str {
        match self {
            Self::Ready => "READY=1",
            Self::Reloading => "RELOADING=1",
            Self::Stopping => "STOPPING=1",
        }
    }
}

/// Tells it. A service manager that cannot be reached is none of a message's business.
pub(crate) fn notify(state: State) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = linux::send(socket.as_encoded_bytes(), state.lines())
    {
        tracing::debug!(%error, "the service manager cannot be told");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = state.lines();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::io;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    pub(super) fn send(name: &[u8], lines: &str) -> io::Result<()> {
        let address = match name {
            // A name that begins with `@` is one of the abstract namespace.
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        // Blocking would let a service manager that does not read hold up the stop.
        socket.set_nonblocking(true)?;
        socket.send_to_addr(lines.as_bytes(), &address).map(drop)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_datagram_reaches_a_path_and_an_abstract_name_and_its_absence_is_an_error() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let name = format!("spanbridge-test-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            for (socket, name) in [
                (UnixDatagram::bind(&path).unwrap(), path.as_os_str().as_bytes()),
                (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").as_bytes()),
            ] {
                send(name, "READY=1").unwrap();
                let mut bytes = [0; 16];
                let length = socket.recv(&mut bytes).unwrap();
                assert_eq!(&bytes[..length], b"READY=1");
            }
            assert!(send(b"/nowhere/at/all", "READY=1").is_err());
        }
    }
}
