//! The message that every candidate handles.

/// Where it goes.
pub(crate) const DESTINATION: &str = "orders.created.eu";
/// What its producer calls it.
pub(crate) const ID: &str = "0b7e7dd0-5c1f-4a3c-9d0c-5a1d5e1f2c3b";
/// Another program's context.
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The same, unsampled.
pub(crate) const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
/// The program that published it.
pub(crate) const CLIENT: &str = "shop-7d9f";
/// The broker.
pub(crate) const SERVER: &str = "broker.internal";

/// What a message brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// No context: one is created and written.
    None,
    /// Somebody else's: a child and a link, nothing is written.
    Foreign,
    /// Somebody else's, not sampled: nothing at all.
    Unsampled,
}

impl Context {
    pub(crate) fn header(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Foreign => Some(TRACEPARENT),
            Self::Unsampled => Some(UNSAMPLED),
        }
    }
}
