//! A session: one client connection and the broker connection that belongs to it.
//!
//! ```text
//!           read ──▶ relay.feed(Client) ──▶ write │ what a full socket leaves over waits here
//! client ═══════                                  ════ broker
//!           write ◀── relay.feed(Broker) ◀── read
//! ```
//!
//! Both directions run in one task. A direction is not read while something it produced waits to be
//! written: so the slower peer slows the faster one, and a session holds no more than one read's
//! output a direction. There are no timers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::close::{By, Cause, Close};
use crate::net::Stream;
use crate::relay::{Fed, Relay, Side};
use crate::worker::{Bench, OUT_BYTES_KEPT_MAX, now};

/// Reads that one session may do before the other sessions of the thread get their turn.
const READS_PER_POLL_MAX: usize = 16;

/// What one direction still has to do.
#[derive(Debug, Default)]
struct Direction {
    /// What the socket would not take yet, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    /// The relay holds more of what was read, to be fed when nothing waits.
    more: bool,
    /// The peer sends nothing more.
    ended: bool,
    /// The other peer has been told so.
    shut: bool,
}

impl Direction {
    fn is_empty(&self) -> bool {
        self.written == self.waiting.len()
    }

    fn keep(&mut self, bytes: &[u8]) {
        debug_assert!(self.is_empty(), "a direction is read when nothing waits");
        self.waiting.clear();
        self.written = 0;
        self.waiting.extend_from_slice(bytes);
    }
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    client: Stream,
    broker: Stream,
    relay: Box<dyn Relay>,
    to_broker: Direction,
    to_client: Direction,
    /// Whose end was seen first.
    first_end: Option<Side>,
    /// Stop between two frames.
    draining: bool,
    /// Both peers are being told that it is over; nothing of theirs goes on any more.
    parting: bool,
    bench: Rc<RefCell<Bench>>,
}

impl Session {
    pub(crate) fn new(
        client: Stream,
        broker: Stream,
        relay: Box<dyn Relay>,
        bench: Rc<RefCell<Bench>>,
    ) -> Self {
        let (to_broker, to_client) = (Direction::default(), Direction::default());
        let (first_end, draining, parting) = (None, false, false);
        Self { client, broker, relay, to_broker, to_client, first_end, draining, parting, bench }
    }

    /// Runs until the session is over. May be dropped and called again.
    pub(crate) async fn run(&mut self) -> Close {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Runs until the session is between two frames in both directions, and both peers have been
    /// told that it is over, if their protocol has a word for that.
    pub(crate) async fn drain(&mut self) -> Close {
        self.draining = true;
        self.run().await
    }

    /// Waits until both peers have gone that were told so. Were they cut off while they speak, what
    /// they were told might be lost with what they say.
    pub(crate) async fn see_off(&mut self) {
        if self.parting {
            poll_fn(|cx| self.poll_gone(cx)).await;
        }
    }

    /// Ends the spans that nobody can end any more.
    pub(crate) fn close(&mut self) {
        self.relay.close(now(), &mut self.bench.borrow_mut().tools);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        if self.parting {
            return self.poll_part(cx);
        }
        for side in [Side::Client, Side::Broker] {
            if let Poll::Ready(Err((by, error))) = self.poll_direction(side, cx) {
                return Poll::Ready(self.failed(by, error));
            }
        }
        if self.relay.refusal().is_some() {
            return self.poll_part(cx);
        }
        if self.to_broker.shut && self.to_client.shut {
            let by = match self.first_end {
                Some(Side::Broker) => By::Broker,
                _ => By::Client,
            };
            return Poll::Ready(Close { by, cause: Cause::Ended });
        }
        if self.draining && self.is_at_boundary() {
            return self.poll_part(cx);
        }
        Poll::Pending
    }

    /// How a session ended whose connection failed.
    fn failed(&self, by: By, error: io::Error) -> Close {
        let was_left = by == By::Broker
            && self.first_end == Some(Side::Client)
            && error.kind() == io::ErrorKind::ConnectionReset;
        if was_left {
            // RabbitMQ resets the connection of a client that went without a word.
            return Close { by: By::Client, cause: Cause::Ended };
        }
        let has_parted = self.relay.has_parted();
        Close { by, cause: if has_parted { Cause::Ended } else { Cause::Io(error) } }
    }

    /// Tells both peers that it is over.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        let refusal = self.relay.refusal();
        let cause = refusal.map_or(Cause::Drained, Cause::Refused);
        let drained = Close { by: By::Here, cause };
        if !self.parting {
            self.relay.farewell(Side::Client, &mut self.to_client.waiting);
            self.relay.farewell(Side::Broker, &mut self.to_broker.waiting);
            if refusal.is_none() && self.to_client.is_empty() && self.to_broker.is_empty() {
                return Poll::Ready(drained);
            }
            self.parting = true;
        }
        let Self { client, broker, to_broker, to_client, .. } = self;
        let to_client = poll_say_last(to_client, client, cx);
        let to_broker = poll_say_last(to_broker, broker, cx);
        if to_client.is_ready() && to_broker.is_ready() {
            Poll::Ready(drained)
        } else {
            Poll::Pending
        }
    }

    /// Reads what comes, for nobody, until nothing comes any more.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { client, broker, to_broker, to_client, bench, .. } = self;
        let read = &mut bench.borrow_mut().read;
        let mut are_gone = true;
        for (direction, from) in [(to_broker, client), (to_client, broker)] {
            while !direction.ended {
                let mut buffer = ReadBuf::new(read);
                match Pin::new(&mut *from).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                    Poll::Ready(_) => direction.ended = true,
                    Poll::Pending => break,
                }
            }
            are_gone &= direction.ended;
        }
        if are_gone { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_at_boundary(&self) -> bool {
        self.to_broker.is_empty()
            && self.to_client.is_empty()
            && !self.broker.has_unflushed()
            && !self.client.has_unflushed()
            && self.relay.is_at_boundary(Side::Client)
            && self.relay.is_at_boundary(Side::Broker)
    }

    /// Moves what one side sends until it has nothing, the other side takes nothing, or it is the
    /// others' turn.
    fn poll_direction(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), (By, io::Error)>> {
        let Self { client, broker, relay, to_broker, to_client, first_end, bench, .. } = self;
        let (from, to, direction, from_by, to_by) = match side {
            Side::Client => (client, broker, to_broker, By::Client, By::Broker),
            Side::Broker => (broker, client, to_client, By::Broker, By::Client),
        };
        let bench = &mut *bench.borrow_mut();
        for _ in 0..READS_PER_POLL_MAX {
            ready!(poll_flush(direction, to, cx)).map_err(|error| (to_by, error))?;
            if direction.ended {
                if !direction.shut {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx)).or_else(ignore_gone(to_by))?;
                    direction.shut = true;
                }
                return Poll::Pending;
            }
            let read = if direction.more {
                0
            } else {
                let mut buffer = ReadBuf::new(&mut bench.read);
                ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))
                    .map_err(|error| (from_by, error))?;
                buffer.filled().len()
            };
            bench.out.clear();
            let bytes = &bench.read[..read];
            let fed = if read == 0 && !direction.more {
                direction.ended = true;
                first_end.get_or_insert(side);
                relay.end(side, now(), &mut bench.tools, &mut bench.out);
                Fed::Rewritten
            } else {
                relay.feed(side, bytes, now(), &mut bench.tools, &mut bench.out)
            };
            direction.more = fed == Fed::Partly;
            let out = match fed {
                Fed::Unchanged => bytes,
                Fed::Rewritten | Fed::Partly => &bench.out,
            };
            let written = poll_write(to, out, cx).map_err(|error| (to_by, error))?;
            direction.keep(&out[written..]);
            bench.out.shrink_to(OUT_BYTES_KEPT_MAX);
            // Not before: no message waits for the end of a span.
            bench.tools.settle_ended();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Writes what is left for one peer, and that nothing more comes. One that is gone need not hear.
fn poll_say_last(direction: &mut Direction, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
    if !direction.shut && ready!(poll_flush(direction, to, cx)).is_ok() {
        let _ = ready!(Pin::new(to).poll_shutdown(cx));
    }
    direction.shut = true;
    Poll::Ready(())
}

/// A peer that is gone already need not be told that nothing more comes.
fn ignore_gone(by: By) -> impl FnOnce(io::Error) -> Result<(), (By, io::Error)> {
    move |error| match error.kind() {
        io::ErrorKind::NotConnected | io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err((by, error)),
    }
}

/// Writes what the socket takes now and answers how much that was.
fn poll_write(to: &mut Stream, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match Pin::new(&mut *to).poll_write(cx, &bytes[written..]) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(more)) => written += more,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => break,
        }
    }
    Ok(written)
}

/// Writes what waits: here, and behind TLS.
fn poll_flush(
    direction: &mut Direction,
    to: &mut Stream,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if !direction.is_empty() {
        direction.written += poll_write(to, &direction.waiting[direction.written..], cx)?;
        if !direction.is_empty() {
            return Poll::Pending;
        }
        // An idle session keeps no buffer.
        direction.waiting = Vec::new();
        direction.written = 0;
    }
    if to.has_unflushed() { Pin::new(to).poll_flush(cx) } else { Poll::Ready(Ok(())) }
}
