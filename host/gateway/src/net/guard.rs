//! The secure listen rule: no listener for other machines before a broker that trusts this one.
//!
//! A broker sees the gateway's address. One that trusts loopback would trust every client of a
//! gateway on its machine. The configuration is checked by what it says; here it is checked by
//! what names turn out to mean, at the start and again for each connection, because a name may
//! mean something else later.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use crate::address::Address;
use crate::config::ConfigError;

/// What a listener may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Anything: only this machine reaches the listener, or the operator means it.
    Open,
    /// Nothing on loopback.
    NotLoopback,
}

impl Guard {
    /// For a listener that got this address.
    pub(crate) fn new(listening: IpAddr, allow_remote: bool) -> Self {
        let local = listening.to_canonical().is_loopback();
        if local || allow_remote { Self::Open } else { Self::NotLoopback }
    }

    /// Answers what is wrong with one address of a broker.
    pub(crate) fn check(self, broker: SocketAddr) -> io::Result<()> {
        if self == Self::NotLoopback && reaches_loopback(broker.ip()) {
            let what = "the address is on loopback, whose broker may trust everyone on this \
                        machine, and the listener can be reached from others (allow_remote)";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        Ok(())
    }

    /// Refuses a listener one of whose brokers has a name that means loopback now.
    pub(crate) fn check_names<'a>(
        self,
        listen: &Address,
        brokers: impl IntoIterator<Item = &'a Address>,
    ) -> Result<(), ConfigError> {
        let Some(broker) = self.first_refused(brokers) else { return Ok(()) };
        Err(ConfigError::Refused(format!(
            "listener {listen} can be reached from other machines, and broker {broker} is a name \
             for this one, whose broker may trust everyone on it; listen on a loopback address, or \
             say --allow-remote (allow_remote = true) if that is meant"
        )))
    }

    /// Answers the first broker whose name means loopback now. A name that means nothing now is
    /// looked at again with each connection.
    fn first_refused<'a>(
        self,
        brokers: impl IntoIterator<Item = &'a Address>,
    ) -> Option<&'a Address> {
        let refused = |broker: &&'a Address| {
            let addresses = (broker.host.as_str(), broker.port).to_socket_addrs();
            addresses.into_iter().flatten().any(|address| self.check(address).is_err())
        };
        // Asking costs time where a name server is slow.
        if self == Self::Open { None } else { brokers.into_iter().find(refused) }
    }
}

/// Answers whether a connection to this address comes from loopback at its other end: an
/// unspecified address means this machine.
pub(crate) fn reaches_loopback(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_for_others_reaches_no_broker_on_loopback() {
        for (listening, allow_remote, broker, allowed) in [
            ("127.0.0.1", false, "127.0.0.1:1", true),
            ("::ffff:127.0.0.1", false, "127.0.0.1:1", true),
            ("0.0.0.0", true, "127.0.0.1:1", true),
            ("0.0.0.0", false, "192.0.2.1:1", true),
            ("0.0.0.0", false, "127.0.0.1:1", false),
            ("::", false, "[::1]:1", false),
            ("192.0.2.1", false, "127.1.2.3:1", false),
            ("192.0.2.1", false, "[::ffff:127.0.0.1]:1", false),
            ("192.0.2.1", false, "0.0.0.0:1", false),
            ("192.0.2.1", false, "[::]:1", false),
        ] {
            let guard = Guard::new(listening.parse().unwrap(), allow_remote);
            let checked = guard.check(broker.parse().unwrap());
            assert_eq!(checked.is_ok(), allowed, "{listening} {allow_remote} {broker}");
        }
    }

    #[test]
    fn a_name_is_judged_by_what_it_means() {
        let brokers: Vec<Address> = ["nats://192.0.2.1:1", "nats://localhost:1"]
            .into_iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(Guard::NotLoopback.first_refused(&brokers), Some(&brokers[1]));
        assert_eq!(Guard::NotLoopback.first_refused(&brokers[..1]), None);
        assert_eq!(Guard::Open.first_refused(&brokers), None);
    }
}
