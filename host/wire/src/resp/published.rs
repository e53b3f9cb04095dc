//! What a subscriber gets: messages, and answers to its subscriptions.
//!
//! In version 2 they are lists like any reply, in version 3 pushes.

use super::name::Name;
use super::tokens::Tokens;
use super::words::is;
use crate::Extent;

/// A message of a channel, or an answer to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// `message`, `smessage` or `pmessage`.
    Message {
        /// The channel.
        channel: Extent,
        /// The pattern that matched it.
        pattern: Option<Extent>,
        /// The message.
        payload: Extent,
    },
    /// The answer to one channel of a subscription, or to the end of one.
    Subscription {
        /// What it answers.
        name: Name,
        /// The channel or pattern. `None`: there was none to leave.
        channel: Option<Extent>,
        /// How many the client still has. In version 2 it is a subscriber while there are any.
        left: u64,
    },
}

impl Published {
    /// Reads a list or a push. `None`: it is something else, as the answer to a `PING` is.
    pub fn of(mut tokens: Tokens<'_>) -> Option<Self> {
        let bytes = tokens.bytes();
        let elements = tokens.list()?;
        let what = tokens.bulk()?.of(bytes);
        if is(what, b"PMESSAGE") && elements == 4 {
            let pattern = Some(tokens.bulk()?);
            return Some(Self::Message {
                channel: tokens.bulk()?,
                pattern,
                payload: tokens.bulk()?,
            });
        }
        if elements != 3 {
            return None;
        }
        if is(what, b"MESSAGE") || is(what, b"SMESSAGE") {
            let channel = tokens.bulk()?;
            return Some(Self::Message { channel, pattern: None, payload: tokens.bulk()? });
        }
        let name = Name::of(what);
        let channel = tokens.next()?;
        let left = tokens.next().filter(|token| !token.kind.is_aggregate())?.at.of(bytes);
        name.is_subscription().then_some(Self::Subscription {
            name,
            channel: channel.bulk(),
            left: crate::decimal::parse_u64(left)?,
        })
    }
}
