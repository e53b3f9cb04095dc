//! Laws of the RESP codec, and an oracle: what `redis-protocol`, a codec for clients written by
//! others, makes of the same bytes.

mod commands;
mod generate;
mod hostile;
mod oracle;
mod redis;
mod replies;
mod rewrite;
mod sessions;
mod streams;
mod walk;
