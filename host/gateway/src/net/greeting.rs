//! Handing a broker's `INFO` to the client, and TLS with a client that starts it behind that.
//!
//! ```text
//! broker ── INFO {…} ↵ ─▶ relay ── INFO {…,"tls_required":true,…} ↵ ─▶ client
//!                                           ◀── TLS handshake ──▶
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::AsyncWriteExt as _;

use super::opening::{Reason, Refusal};
use super::{Net, Stream};
use crate::relay::{Fed, Relay, Side};
use crate::worker::{Bench, now};

/// Sends what a relay makes of `info`, and answers the client's connection as it is to be used.
pub(crate) async fn greet(
    net: &Net,
    mut client: Stream,
    info: &[u8],
    relay: &mut dyn Relay,
    bench: &Rc<RefCell<Bench>>,
) -> Result<Stream, Refusal> {
    if info.is_empty() {
        return Ok(client);
    }
    let mut out = Vec::new();
    // One line without a message: all of it comes back at once, and no span ends with it.
    let fed = relay.feed(Side::Broker, info, now(), &mut bench.borrow_mut().tools, &mut out);
    if fed == Fed::Unchanged {
        out.extend_from_slice(info);
    }
    let written = async {
        client.write_all(&out).await?;
        client.flush().await
    };
    net.within(written).await.map_err(Reason::Greeting.by_client())?;
    match client {
        Stream::Plain(stream) => net.accept_tls(stream).await,
        tls @ Stream::Tls(_) => Ok(tls),
    }
}
