//! Laws that hold for every input, tried on random ones and on recorded sessions.
//!
//! - Bytes fed one at a time give the frames of the same bytes fed at once.
//! - Nothing edited means nothing changed.
//! - Splicing and then reading gives what reading and then editing gives.
//! - Nothing beyond a limit is looked at, and no input makes a codec panic.

mod decode;
mod generate;
mod json;
mod proxy_protocol;
mod rewrite;
mod sessions;
mod walk;
