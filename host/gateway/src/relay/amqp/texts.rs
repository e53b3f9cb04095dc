//! A few short texts of a method, kept for the content header that follows it.

/// Three texts, one behind the other. Short strings have 255 bytes at most, and the buffer stays.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    first: usize,
    second: usize,
}

impl Texts {
    /// Takes the place of what was kept before.
    pub(super) fn set(&mut self, exchange: &[u8], routing_key: &[u8], third: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(exchange);
        self.first = self.bytes.len();
        self.bytes.extend_from_slice(routing_key);
        self.second = self.bytes.len();
        self.bytes.extend_from_slice(third);
    }

    pub(super) fn exchange(&self) -> &[u8] {
        self.bytes.get(..self.first).unwrap_or_default()
    }

    pub(super) fn routing_key(&self) -> &[u8] {
        self.bytes.get(self.first..self.second).unwrap_or_default()
    }

    /// The consumer's tag, the queue or what a broker says, by the method.
    pub(super) fn third(&self) -> &[u8] {
        self.bytes.get(self.second..).unwrap_or_default()
    }
}
