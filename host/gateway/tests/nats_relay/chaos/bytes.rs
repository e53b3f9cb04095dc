//! Compares what a peer sent with what came out behind the relay, and counts what was in it.
//!
//! Reads both streams by other code than that under test. A stream may end anywhere.

use std::collections::BTreeSet;

use crate::harness::CONNECT;

/// What the bytes of one session show.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Messages of clients whose head went through, control traffic left out.
    pub(crate) published: u64,
    /// Those among them that came without a context, or from a client that takes no headers.
    pub(crate) without_context: u64,
    /// Those that got one.
    pub(crate) injected: u64,
    /// Messages of brokers whose head went through, control traffic left out.
    pub(crate) delivered: u64,
    /// Messages in either direction whose context says that they are not sampled.
    pub(crate) unsampled: u64,
    /// Settlements that ended something, if what they name was known.
    pub(crate) settled: u64,
    /// Span ids of the contexts that were added.
    pub(crate) span_ids: BTreeSet<[u8; 8]>,
}

/// A message's control line and header block.
struct Head<'a> {
    words: Vec<&'a [u8]>,
    block: &'a [u8],
    /// Both together.
    bytes: &'a [u8],
    payload: usize,
}

impl<'a> Head<'a> {
    /// `None`: it is not whole.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let line = bytes[..end].split(|byte| b" \t".contains(byte));
        let mut words: Vec<_> = line.filter(|word| !word.is_empty()).collect();
        let has_block = matches!(words[0], b"HPUB" | b"HMSG");
        let (mut block, mut payload) = (0, 0);
        if has_block || matches!(words[0], b"PUB" | b"MSG") {
            payload = number(words.pop().unwrap_or_default());
            if has_block {
                block = number(words.pop().unwrap_or_default());
                payload -= block;
            }
        }
        let length = end + 2 + block;
        let bytes = bytes.get(..length)?;
        Some(Self { words, block: &bytes[end + 2..], bytes, payload })
    }

    fn is_message(&self) -> bool {
        matches!(self.words[0], b"PUB" | b"HPUB" | b"MSG" | b"HMSG")
    }

    fn is_control(&self) -> bool {
        let subject = self.words[1];
        [&b"_INBOX."[..], b"$"].iter().any(|control| subject.starts_with(control))
    }

    fn has(&self, text: &[u8]) -> bool {
        self.block.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
    }

    fn count_unsampled(&self, seen: &mut Seen) {
        seen.unsampled += u64::from(self.has(b"-00\r\n"));
    }
}

fn number(digits: &[u8]) -> usize {
    std::str::from_utf8(digits).expect("digits").parse().expect("a number")
}

impl Seen {
    /// What a client sent against what its broker got: the same, but for contexts that were added.
    pub(crate) fn compare_to_broker(&mut self, mut fed: &[u8], mut got: &[u8]) {
        let takes_headers = fed.starts_with(CONNECT.as_bytes());
        while let Some(head) = Head::read(fed) {
            fed = &fed[head.bytes.len()..];
            got = self.publish(&head, takes_headers, got);
            if !head.is_message() {
                continue;
            }
            // The payload and its line's end.
            let whole = head.payload + 2;
            let there = whole.min(fed.len());
            let (payload, rest) = fed.split_at(there);
            assert!(got.starts_with(payload), "a payload of a client was damaged");
            (fed, got) = (rest, &got[there..]);
            let settles = head.words[1].starts_with(b"$JS.ACK.") && there == whole;
            self.settled += u64::from(settles && !payload.starts_with(b"+WPI"));
        }
        assert!(fed == got, "what came of the beginning of a head: {:?}", show(got));
    }

    /// Takes the head that comes of `head` off `got`, and answers the rest.
    fn publish<'a>(&mut self, head: &Head<'_>, takes_headers: bool, got: &'a [u8]) -> &'a [u8] {
        let is_counted = head.is_message() && !head.is_control();
        let has_context = head.has(b"traceparent:");
        if is_counted {
            self.published += 1;
            self.without_context += u64::from(!has_context || !takes_headers);
            head.count_unsampled(self);
        }
        if let Some(rest) = got.strip_prefix(head.bytes) {
            return rest;
        }
        assert!(is_counted && !has_context && takes_headers, "changed: {:?}", show(head.bytes));
        let new = Head::read(got).expect("the head went on whole");
        assert_eq!((&new.words[1..], new.payload), (&head.words[1..], head.payload));
        self.injected += 1;
        self.span_ids.insert(check_block(head.block, new.block));
        &got[new.bytes.len()..]
    }

    /// What a broker sent against what its client got: the same.
    pub(crate) fn compare_to_client(&mut self, mut fed: &[u8], got: &[u8]) {
        assert!(fed == got, "what a broker sent was damaged");
        while let Some(head) = Head::read(fed) {
            fed = &fed[head.bytes.len()..];
            if !head.is_message() {
                continue;
            }
            fed = &fed[(head.payload + 2).min(fed.len())..];
            let is_from_stream =
                head.words.get(3).is_some_and(|reply| reply.starts_with(b"$JS.ACK."));
            if is_from_stream || !head.is_control() {
                self.delivered += 1;
                head.count_unsampled(self);
            }
        }
    }
}

/// The new block has the lines of the old one and a context. Answers the context's span id.
fn check_block(old: &[u8], new: &[u8]) -> [u8; 8] {
    let text = std::str::from_utf8(new).expect("a block is text");
    let (mut left, mut traceparent) = (String::new(), None);
    for line in text.split_inclusive("\r\n") {
        match line.split_once(": ") {
            Some(("traceparent", value)) => traceparent = Some(value),
            Some(("tracestate", _)) => {}
            _ => left.push_str(line),
        }
    }
    let old = if old.is_empty() { b"NATS/1.0\r\n\r\n" } else { old };
    assert_eq!(left.as_bytes(), old, "only a context was added");
    let traceparent = traceparent.expect("a context was added");
    let id = u64::from_str_radix(&traceparent[36..52], 16).expect("a span id");
    id.to_be_bytes()
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}
