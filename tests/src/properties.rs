//! The properties of a message of AMQP 0-9-1, cut into the entries of its header table and the
//! rest.
//!
//! ```text
//! class 2 │ weight 2 │ body size 8 │ flags 2 │ type? │ encoding? │ table? │ the rest
//! table    length 4 │ { name 1+n │ tag 1 │ value }
//! ```
//!
//! Values stay bytes, but for the texts that a test asks for.

use anyhow::{Context, Result, bail, ensure};

use crate::raw_amqp::{Frame, HEADER};

/// Bytes before the flags.
const FIXED_BYTES: usize = 12;

/// Flags of the properties that stand before the header table, and of the table.
const BEFORE: [u16; 2] = [0x8000, 0x4000];
const HEADERS: u16 = 0x2000;

/// What a frame of properties says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Class, weight and body size.
    pub fixed: Vec<u8>,
    /// Which properties are there, but for the table.
    pub flags: u16,
    /// The properties before the table.
    pub before: Vec<u8>,
    /// The table; `None` where there is none, which is not the same as an empty one.
    pub headers: Option<Vec<Entry>>,
    /// The properties behind the table.
    pub after: Vec<u8>,
}

/// One entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its type: `S` for a long string.
    pub tag: u8,
    /// Its value, with its length where it has one.
    pub value: Vec<u8>,
}

impl Properties {
    /// Reads a frame of properties.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(frame: &Frame) -> Result<Self> {
        ensure!(frame.kind == HEADER, "expected properties, found {frame:?}");
        let mut rest = &frame.payload[..];
        let fixed = take(&mut rest, FIXED_BYTES)?.to_vec();
        let flags = u16::from_be_bytes(take(&mut rest, 2)?.try_into()?);
        let mut before = Vec::new();
        for _ in BEFORE.iter().filter(|&&flag| flags & flag != 0) {
            let length = take(&mut rest, 1)?[0];
            before.push(length);
            before.extend_from_slice(take(&mut rest, usize::from(length))?);
        }
        let mut headers = None;
        if flags & HEADERS != 0 {
            let mut table = long(&mut rest)?;
            let entries = headers.insert(Vec::new());
            while !table.is_empty() {
                entries.push(Entry::read(&mut table)?);
            }
        }
        Ok(Self { fixed, flags: flags & !HEADERS, before, headers, after: rest.to_vec() })
    }

    /// A header that is a long string.
    pub fn header(&self, name: &str) -> Option<String> {
        let entry = self.headers.iter().flatten().find(|entry| entry.name == name.as_bytes())?;
        let text = entry.value.get(4..).filter(|_| entry.tag == b'S')?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The same without the headers of these names, and without a table that becomes empty so.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let is_named = |entry: &Entry| names.iter().any(|name| entry.name == name.as_bytes());
        let mut same = self.clone();
        if let Some(entries) = &mut same.headers {
            let all = entries.len();
            entries.retain(|entry| !is_named(entry));
            if entries.is_empty() && all > 0 {
                same.headers = None;
            }
        }
        same
    }
}

impl Entry {
    fn read(table: &mut &[u8]) -> Result<Self> {
        let length = take(table, 1)?[0];
        let name = take(table, usize::from(length))?.to_vec();
        let tag = take(table, 1)?[0];
        let size = match tag {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'l' | b'L' | b'd' | b'T' => 8,
            b'S' | b'A' | b'F' | b'x' => {
                let length = table.get(..4).context("a value without its length")?;
                4 + usize::try_from(u32::from_be_bytes(length.try_into()?))?
            }
            _ => bail!("unknown type {tag:#04x} of a header"),
        };
        Ok(Self { name, tag, value: take(table, size)?.to_vec() })
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length).context("properties that end too early")?;
    *bytes = rest;
    Ok(taken)
}

fn long<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = u32::from_be_bytes(take(bytes, 4)?.try_into()?);
    take(bytes, usize::try_from(length)?)
}
