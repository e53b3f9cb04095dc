//! Building and reading frames, by other code than that under test.

/// `PUB` or `HPUB`: a message of a client.
pub(crate) fn publish(subject: &str, reply: &str, headers: Option<&str>, payload: &str) -> String {
    message("PUB", subject, "", reply, headers, payload)
}

/// `MSG` or `HMSG`: a message for subscription 1.
pub(crate) fn deliver(subject: &str, reply: &str, headers: Option<&str>, payload: &str) -> String {
    message("MSG", subject, "1", reply, headers, payload)
}

/// A delivery of the stream `ORDERS` to the consumer `billing`.
pub(crate) fn deliver_from_stream(message: &StreamMessage, headers: Option<&str>) -> String {
    deliver(&message.subject, &message.ack_subject(), headers, "order")
}

/// What the consumer says about it.
pub(crate) fn acknowledge(message: &StreamMessage, what: &str) -> String {
    publish(&message.ack_subject(), "", None, what)
}

/// A status of the broker: a header block and no payload.
pub(crate) fn status(subject: &str, code_and_words: &str) -> String {
    let block = format!("NATS/1.0 {code_and_words}\r\n\r\n");
    format!("HMSG {subject} 1 {0} {0}\r\n{block}\r\n", block.len())
}

fn message(
    verb: &str,
    subject: &str,
    sid: &str,
    reply: &str,
    headers: Option<&str>,
    payload: &str,
) -> String {
    let mut words = vec![subject, sid, reply];
    words.retain(|word| !word.is_empty());
    let words = words.join(" ");
    match headers {
        None => format!("{verb} {words} {}\r\n{payload}\r\n", payload.len()),
        Some(lines) => {
            let block = format!("NATS/1.0\r\n{lines}\r\n");
            let size = block.len() + payload.len();
            format!("H{verb} {words} {} {size}\r\n{block}{payload}\r\n", block.len())
        }
    }
}

/// A message in a stream, and which attempt to deliver it this is.
#[derive(Clone, Debug)]
pub(crate) struct StreamMessage {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) attempt: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub(crate) stored: u64,
}

impl StreamMessage {
    pub(crate) fn ack_subject(&self) -> String {
        let Self { sequence, attempt, stored, .. } = self;
        format!("$JS.ACK.ORDERS.billing.{attempt}.{sequence}.{sequence}.{stored}.0")
    }

    pub(crate) fn again(&self) -> Self {
        Self { attempt: self.attempt + 1, ..self.clone() }
    }
}

/// One operation of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The words of the control line without its lengths.
    pub(crate) words: Vec<String>,
    /// The lines of the header block, without version line and without context.
    pub(crate) headers: Vec<String>,
    /// The value of `traceparent`.
    pub(crate) traceparent: Option<String>,
    pub(crate) payload: Vec<u8>,
}

/// Cuts a direction into its operations.
pub(crate) fn operations(mut bytes: &[u8]) -> Vec<Operation> {
    let mut operations = Vec::new();
    while !bytes.is_empty() {
        let (operation, rest) = operation(bytes);
        operations.push(operation);
        bytes = rest;
    }
    operations
}

fn operation(bytes: &[u8]) -> (Operation, &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
    let line = std::str::from_utf8(&bytes[..end]).expect("a line is text");
    let mut rest = &bytes[end + 2..];
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let has_headers = ["HPUB", "HMSG"].contains(&words[0].as_str());
    let (mut headers, mut payload) = (Vec::new(), Vec::new());
    if has_headers || ["PUB", "MSG"].contains(&words[0].as_str()) {
        let mut size: usize = words.pop().expect("a length").parse().expect("a number");
        if has_headers {
            let length: usize = words.pop().expect("a length").parse().expect("a number");
            let (block, behind) = rest.split_at(length);
            let block = std::str::from_utf8(block).expect("a block is text");
            headers = block.split("\r\n").skip(1).map(str::to_owned).collect();
            headers.retain(|line: &String| !line.is_empty());
            (rest, size) = (behind, size - length);
            words[0].remove(0);
        }
        let (content, behind) = rest.split_at(size);
        payload = content.to_vec();
        rest = behind.strip_prefix(b"\r\n").expect("the end of a payload");
    }
    let mut traceparent = None;
    headers.retain(|line| {
        let (name, value) = line.split_once(':').expect("a header");
        let name = name.to_ascii_lowercase();
        if name == "traceparent" {
            traceparent = Some(value.trim().to_owned());
        }
        !["traceparent", "tracestate"].contains(&name.as_str())
    });
    (Operation { words, headers, traceparent, payload }, rest)
}
