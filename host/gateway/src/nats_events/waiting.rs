//! Events that arrived and wait to be turned into spans, bounded by what they take in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::Message;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Bytes that wait at most; what comes then is lost, and counted. Some 50 000 ordinary events: a
/// second of more than a server traces, or 64 of the largest.
pub(super) const WAITING_BYTES_MAX: usize = 64 << 20;

/// What an event takes besides its payload: the message, its subject, its place in the queue.
const EVENT_OVERHEAD_BYTES: usize = 512;

/// The end that events go in at.
#[derive(Debug)]
pub(super) struct Entrance {
    messages: UnboundedSender<Message>,
    bytes: Arc<AtomicUsize>,
}

/// The end that they are taken from.
#[derive(Debug)]
pub(super) struct Exit {
    messages: UnboundedReceiver<Message>,
    bytes: Arc<AtomicUsize>,
}

/// An empty queue.
pub(super) fn queue() -> (Entrance, Exit) {
    let (sender, receiver) = unbounded_channel();
    let bytes = Arc::new(AtomicUsize::new(0));
    let entrance = Entrance { messages: sender, bytes: Arc::clone(&bytes) };
    (entrance, Exit { messages: receiver, bytes })
}

impl Entrance {
    /// Lets a message in, if there is room.
    pub(super) fn offer(&self, message: Message) {
        let size = size(&message);
        // There is one entrance, so what is read here can only become less.
        if self.bytes.load(Ordering::Relaxed) + size > WAITING_BYTES_MAX {
            return;
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        // Fails when the other end is gone, and nobody wants events any more.
        let _ = self.messages.send(message);
    }
}

impl Exit {
    /// The message that waited longest; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        self.bytes.fetch_sub(size(&message), Ordering::Relaxed);
        Some(message)
    }
}

fn size(message: &Message) -> usize {
    message.length + EVENT_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Message {
        Message {
            subject: "trace".into(),
            reply: None,
            payload: Vec::new().into(),
            headers: None,
            status: None,
            description: None,
            length,
        }
    }

    #[test]
    fn what_waits_is_bounded_by_bytes_and_room_comes_back() {
        let half = WAITING_BYTES_MAX / 2 - EVENT_OVERHEAD_BYTES;
        let (entrance, mut exit) = queue();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        entrance.offer(message(half));
        entrance.offer(message(half));
        entrance.offer(message(0));
        assert!(runtime.block_on(exit.next()).is_some());
        entrance.offer(message(1));
        drop(entrance);
        let mut lengths = Vec::new();
        while let Some(message) = runtime.block_on(exit.next()) {
            lengths.push(message.length);
        }
        assert_eq!(lengths, [half, 1], "the third found no room");
        assert_eq!(exit.bytes.load(Ordering::Relaxed), 0);
    }
}
