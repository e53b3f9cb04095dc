//! Arguments of class `connection`, and of the closing of a channel.
//!
//! A client's answer to the challenge of a mechanism holds its password. It is stepped over, but
//! for the user's name: what is not held cannot leak into a log.

use super::{Arguments, Missing};
use crate::Extent;
use crate::amqp::table::Table;

/// `connection.start`: what the broker says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its properties, for [`ServerProperties`](crate::amqp::ServerProperties).
    pub server_properties: Extent,
    /// The mechanisms by which a client may log in, with blanks between them.
    pub mechanisms: Extent,
}

/// `connection.start-ok`: what the client says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartOk {
    /// Its properties, for [`ClientProperties`](crate::amqp::ClientProperties).
    pub client_properties: Extent,
    /// The mechanism by which it logs in.
    pub mechanism: Extent,
    /// Its user, for the mechanisms `PLAIN` and `AMQPLAIN`.
    pub user: Option<Extent>,
}

/// `connection.tune` or `connection.tune-ok`. 0 means no limit in each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tune {
    /// The highest number of a channel.
    pub channel_max: u16,
    /// The longest frame, its head and its end included, in bytes.
    pub frame_max: u32,
    /// Seconds after which silence means that the peer is gone.
    pub heartbeat: u16,
}

/// `connection.close` or `channel.close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// Why: 200 is "goodbye", everything else an error.
    pub reply_code: u16,
    /// Why, in words.
    pub reply_text: Extent,
    /// The class of the method that was the reason; 0 if none was.
    pub class: u16,
    /// That method.
    pub method: u16,
}

impl Start {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        arguments.u8("version-major")?;
        arguments.u8("version-minor")?;
        Ok(Self {
            server_properties: arguments.long("server-properties")?,
            mechanisms: arguments.long("mechanisms")?,
        })
    }
}

impl StartOk {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        let client_properties = arguments.long("client-properties")?;
        let (name, mechanism) = arguments.short_bytes("mechanism")?;
        let (response, start) = arguments.long_bytes("response")?;
        let user = match name {
            b"PLAIN" => plain_user(response),
            b"AMQPLAIN" => amqplain_user(response),
            _ => None,
        };
        let user = user.map(|user| {
            let at = start.saturating_add(user.start() as usize);
            Extent::between(at, at.saturating_add(user.len() as usize))
        });
        Ok(Self { client_properties, mechanism, user })
    }
}

impl Tune {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(Self {
            channel_max: arguments.u16("channel-max")?,
            frame_max: arguments.u32("frame-max")?,
            heartbeat: arguments.u16("heartbeat")?,
        })
    }
}

impl Close {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, Missing> {
        Ok(Self {
            reply_code: arguments.u16("reply-code")?,
            reply_text: arguments.short("reply-text")?,
            class: arguments.u16("class-id")?,
            method: arguments.u16("method-id")?,
        })
    }
}

/// `[authorization identity] NUL user NUL password` (RFC 4616).
fn plain_user(response: &[u8]) -> Option<Extent> {
    let mut nul = (0..).zip(response).filter(|&(_, &byte)| byte == 0).map(|(at, _)| at);
    let (before, behind) = (nul.next()?, nul.next()?);
    Extent::new(u32::checked_add(before, 1)?, behind)
}

/// A table without its length, in which the user is called `LOGIN`.
fn amqplain_user(response: &[u8]) -> Option<Extent> {
    let login = Table::new(response).iter().find(|entry| entry.name == b"LOGIN")?;
    login.value.as_text()?;
    // The text is the end of the entry.
    let end = login.at.end();
    let len = u32::try_from(login.value.raw().len()).ok()?;
    Extent::new(end.checked_sub(len)?, end)
}
