//! What the sessions of these tests share: a runtime, its open spans, a listener of Redis; and
//! commands and replies, as the two peers write them.

use std::sync::Arc;

use spanbridge::{Route, RouteSettings, Runtime};
use spanbridge_gateway::relay::Relay;
use spanbridge_gateway::relay::redis::{self, RedisShared};
use spanbridge_gateway::service::Services;

pub(crate) use crate::bed::{Listen, Options};
pub(crate) use crate::session_rig::{SECOND, START, Session};
pub(crate) use crate::spans::{CLIENT, CONSUMER, PRODUCER};

/// What the sessions of a process share.
pub(crate) type Bed = crate::bed::Bed<RedisShared>;

/// A context of somebody else's.
pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

impl Listen for RedisShared {
    const SYSTEM: &'static str = "redis";

    fn new(runtime: &Runtime, route: Route, services: Arc<Services>, options: &Options) -> Self {
        Self::new(runtime, route, services, options.header_case)
    }

    fn relay(shared: &Arc<Self>) -> impl Relay + 'static {
        redis::session(Arc::clone(shared))
    }
}

/// The options of a bed, with these settings changed.
pub(crate) fn options(change: impl FnOnce(&mut RouteSettings)) -> Options {
    // As a gateway without a word on it has it.
    let mut settings = RouteSettings { receive_spans: false, ..RouteSettings::new("redis") };
    change(&mut settings);
    Options { settings, ..Options::default() }
}

/// A bed with nothing changed.
pub(crate) fn plain_bed() -> Bed {
    Bed::with(1, options(|_| {}))
}

/// A command, words between spaces.
pub(crate) fn command(words: &str) -> Vec<u8> {
    strings(&words.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

/// A list of strings, as commands and replies have it.
pub(crate) fn strings(strings: &[&[u8]]) -> Vec<u8> {
    list(&strings.iter().map(string).collect::<Vec<_>>())
}

/// A string with its length.
pub(crate) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

/// A list of these.
pub(crate) fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", elements.len()).into_bytes(), elements.concat()].concat()
}

/// An entry: its id, and its fields between spaces.
pub(crate) fn entry(id: &str, fields: &str) -> Vec<u8> {
    list(&[string(id), command(fields)])
}

/// What `XREADGROUP` answers in version 2.
pub(crate) fn stream(key: &str, entries: &[Vec<u8>]) -> Vec<u8> {
    list(&[list(&[string(key), list(entries)])])
}

/// The strings of one command or flat reply.
pub(crate) fn cut(mut bytes: &[u8]) -> Vec<String> {
    let line = |bytes: &mut &[u8]| {
        let end = bytes.windows(2).position(|it| it == b"\r\n").expect("a whole line");
        let text = String::from_utf8(bytes[1..end].to_vec()).unwrap();
        *bytes = &bytes[end + 2..];
        text.parse::<usize>().expect("a number")
    };
    let count = line(&mut bytes);
    let mut found = Vec::new();
    for _ in 0..count {
        let length = line(&mut bytes);
        found.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        bytes = &bytes[length + 2..];
    }
    assert_eq!(bytes, b"", "nothing behind it");
    found
}

impl Session {
    /// A command and its reply. Answers what the broker got.
    pub(crate) fn ask(&mut self, words: &str, reply: impl AsRef<[u8]>) -> Vec<u8> {
        self.take();
        self.client(command(words));
        self.broker(reply);
        self.take().0
    }

    /// What broker and client got since it was last asked.
    pub(crate) fn take(&mut self) -> (Vec<u8>, Vec<u8>) {
        (std::mem::take(&mut self.to_broker), std::mem::take(&mut self.to_client))
    }

    /// Adds an entry to a stream, and answers its traceparent.
    pub(crate) fn add(&mut self, words: &str, id: &str) -> String {
        let written = cut(&self.ask(words, string(id)));
        let at = written.iter().position(|word| word == "traceparent").expect("it has a context");
        written[at + 1].clone()
    }
}

/// The outcomes of all spans so far, in the order in which they ended.
pub(crate) fn outcomes(bed: &Bed) -> Vec<String> {
    bed.spans().iter().map(|span| span.outcome().unwrap_or("none").to_owned()).collect()
}
