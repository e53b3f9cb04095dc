//! RESP, the protocol of Redis, versions 2 and 3.
//!
//! ```text
//! client                                             broker
//!   │   HELLO 3 AUTH user secret SETNAME me ───────────▶ │
//!   │ ◀─────────────────────── a map about the server    │
//!   │   XADD, LPUSH, XREADGROUP, EVALSHA, …  ──────────▶ │   several may be on their way
//!   │ ◀─────────────────── a reply each, in that order   │
//!   │ ◀───────────────────────── pushes among replies    │
//!
//! a command   *2\r\n   $4\r\n LLEN \r\n   $1\r\n q \r\n      or a line of words
//! a reply     +OK  -ERR …  :1  $5 …  *2 …                    version 2
//!             _  #t  ,1.5  (9…  =  !  %  ~  >  |             version 3 has these too
//! ```
//!
//! [`CommandDecoder`] finds commands, tells what they are by [`Name`], and holds only those that
//! somebody has to look into; [`ReplyDecoder`] does the same for replies, told for each one whether
//! it is wanted. What is not wanted goes by in parts, and costs its header lines. Behind them are
//! views that say where things lie: [`Xadd`], [`StreamRead`], [`Claim`], [`Acknowledge`],
//! [`Push`], [`Pop`], [`Move`], [`Script`], [`Hello`], [`Auth`] and [`Client`] in commands;
//! [`Tokens`], [`StreamReply`], [`Popped`] and [`Published`] in replies. [`Splicer`] changes fields
//! and strings, and nothing else.
//!
//! Which reply answers which command is the caller's to remember. A subscription is answered once
//! for each channel, in version 2 by lists, in version 3 by pushes, so by no reply at all; an
//! [`Empty`](CommandFrame::Empty) command is never answered, and `CLIENT REPLY` decides about the
//! rest.
//!
//! Not read here: what follows `MONITOR`, `SYNC` and `PSYNC`, whose answers are no replies, and
//! quoted inline commands. Passwords are stepped over. Lengths are read as strictly as Redis
//! reads them (no sign, no leading zero), so that a length is as long as its digits.
//!
//! See <https://redis.io/docs/latest/develop/reference/protocol-spec/>. Where it is silent,
//! `networking.c` of Redis decides.

mod arguments;
mod client;
mod connection;
mod element;
mod entries;
mod error;
mod fields;
mod list;
mod name;
mod published;
mod reply;
mod rewrite;
mod script;
mod splicer;
mod stream;
mod tokens;
mod walk;
mod words;

pub use arguments::{Arguments, Command};
pub use client::{CommandDecoder, CommandFrame, CommandPart, Inline};
pub use connection::{Auth, Client, Hello, ReplyMode, select};
pub use element::Kind;
pub use entries::{Entry, StreamItem, StreamReply};
pub use error::Error;
pub use fields::{Field, FieldList, Fields};
pub use list::{Move, Pop, Popped, Push};
pub use name::Name;
pub use published::Published;
pub use reply::{Reply, ReplyDecoder, ReplyFrame, ReplyPart, Want};
pub use rewrite::{FieldEdit, Refusal};
pub use script::Script;
pub use splicer::Splicer;
pub use stream::{Acknowledge, Claim, Idempotence, StreamRead, Xadd};
pub use tokens::{Token, Tokens};
