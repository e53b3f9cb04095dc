//! How many sessions each source has, where that is bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of an IPv6 address that a network gives to one customer or one machine: whoever has one
/// address has all that differ behind them.
const V6_BITS: u32 = 64;

/// Sessions by source. No more entries than sessions.
type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The sessions of one listener by source.
#[derive(Debug)]
pub(crate) struct Sources {
    max: Option<usize>,
    open: Open,
}

/// Counts a session for its source for as long as it lives.
#[derive(Debug)]
pub(crate) struct SourcePlace(Option<(Open, IpAddr)>);

impl Sources {
    pub(crate) fn new(max: Option<usize>) -> Self {
        Self { max, open: Arc::default() }
    }

    /// `None` when that source has as many sessions as it may have.
    pub(crate) fn take(&self, source: IpAddr) -> Option<SourcePlace> {
        let Some(max) = self.max else { return Some(SourcePlace(None)) };
        let source = group(source);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(&source).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        open.insert(source, count + 1);
        Some(SourcePlace(Some((Arc::clone(&self.open), source))))
    }
}

impl Drop for SourcePlace {
    fn drop(&mut self) {
        let Some((open, source)) = &self.0 else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(source)),
        }
    }
}

/// What is counted as one source.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - V6_BITS);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_has_as_many_sessions_as_it_may_have() {
        let sources = Sources::new(Some(2));
        let first = sources.take(ip("192.0.2.1")).unwrap();
        let second = sources.take(ip("::ffff:192.0.2.1")).unwrap();
        assert!(sources.take(ip("192.0.2.1")).is_none(), "the same address in two spellings");
        assert!(sources.take(ip("192.0.2.2")).is_some());
        drop(first);
        let again = sources.take(ip("192.0.2.1")).unwrap();
        drop((second, again));
        assert!(sources.open.lock().unwrap().is_empty(), "sources that are gone are forgotten");
    }

    #[test]
    fn a_network_of_version_6_is_one_source() {
        let sources = Sources::new(Some(1));
        let _place = sources.take(ip("2001:db8::1")).unwrap();
        assert!(sources.take(ip("2001:db8::ffff:1")).is_none());
        assert!(sources.take(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let sources = Sources::new(None);
        let places: Vec<_> = (0..100).map(|_| sources.take(ip("192.0.2.1")).unwrap()).collect();
        assert!(sources.open.lock().unwrap().is_empty());
        drop(places);
    }
}
