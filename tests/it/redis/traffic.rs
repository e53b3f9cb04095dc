//! What the programs of these tests do, with the Rust client of Redis.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use redis::streams::StreamReadReply;
use redis::{Connection, cmd};
use spanbridge_tests::BOUND;

/// The only group of the streams.
pub(super) const GROUP: &str = "workers";

/// An entry that was read: its id, and its fields.
pub(super) type Entry = (String, BTreeMap<String, String>);

/// A connection whose replies come within bounds. `url` may say which version it speaks.
pub(super) fn connect(url: &str) -> Result<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(BOUND)?;
    connection.set_read_timeout(Some(BOUND))?;
    Ok(connection)
}

/// Makes a stream with its group.
pub(super) fn create(connection: &mut Connection, stream: &str) -> Result<()> {
    let arguments = [stream, GROUP, "0", "MKSTREAM"];
    Ok(cmd("XGROUP").arg("CREATE").arg(&arguments).exec(connection)?)
}

/// Adds an entry with this number, and answers its id.
pub(super) fn add(connection: &mut Connection, stream: &str, number: usize) -> Result<String> {
    let arguments = (stream, "*", "number", number);
    Ok(cmd("XADD").arg(arguments).query(connection)?)
}

/// Reads up to so many entries for a consumer: new ones for `>`, its pending ones for `0`.
pub(super) fn read(
    connection: &mut Connection,
    (stream, from): (&str, &str),
    consumer: &str,
    count: usize,
) -> Result<Vec<Entry>> {
    let group = ("GROUP", GROUP, consumer, "COUNT", count, "STREAMS", stream, from);
    let reply: StreamReadReply = cmd("XREADGROUP").arg(group).query(connection)?;
    let streams = reply.keys.into_iter();
    streams
        .flat_map(|stream| stream.ids)
        .map(|entry| {
            let fields = entry.map.into_iter();
            let fields = fields.map(|(name, value)| Ok((name, redis::from_redis_value(value)?)));
            Ok((entry.id, fields.collect::<Result<_>>()?))
        })
        .collect()
}

/// Says that an entry is done with.
pub(super) fn acknowledge(connection: &mut Connection, stream: &str, id: &str) -> Result<()> {
    let count: u64 = cmd("XACK").arg((stream, GROUP, id)).query(connection)?;
    ensure!(count == 1, "{id} was not pending");
    Ok(())
}

/// The number of an entry.
pub(super) fn number(entry: &Entry) -> Result<usize> {
    let number = entry.1.get("number").with_context(|| format!("no number in {entry:?}"))?;
    Ok(number.parse()?)
}
