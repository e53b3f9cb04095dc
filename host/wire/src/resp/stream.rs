//! Commands about streams.
//!
//! ```text
//! XADD key [options] <* | id> field value …
//! XREADGROUP GROUP group consumer [options] STREAMS key … id …
//! XCLAIM key group consumer min-idle-time id … [options]
//! XACK key group id …
//! ```
//!
//! Options are read as Redis reads them: in any case and order. An option that is not known may
//! change what follows, so a command that has one is not understood, and left alone.

use super::arguments::{Arguments, Command};
use super::fields::FieldList;
use super::name::Name;
use super::rewrite::Refusal;
use super::words::{fold, folded, is, is_id, is_one_of};
use crate::Extent;

/// Options of `XADD`, as numbers.
const MAXLEN: u128 = fold(b"MAXLEN");
const MINID: u128 = fold(b"MINID");
const LIMIT: u128 = fold(b"LIMIT");
const NOMKSTREAM: u128 = fold(b"NOMKSTREAM");
const IDMPAUTO: u128 = fold(b"IDMPAUTO");
const IDMP: u128 = fold(b"IDMP");
const KEEPREF: u128 = fold(b"KEEPREF");
const DELREF: u128 = fold(b"DELREF");
const ACKED: u128 = fold(b"ACKED");

/// `XADD`.
#[derive(Clone, Copy, Debug)]
pub struct Xadd {
    /// The stream.
    pub key: Extent,
    /// Whether nothing is added to a stream that does not exist.
    pub nomkstream: bool,
    /// How the broker knows the entry again when it is sent twice.
    pub idempotence: Idempotence,
    /// The id, or `*`.
    pub id: Extent,
    fields: FieldList,
}

/// How a broker knows an entry again when it is sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotence {
    /// It does not.
    None,
    /// By its fields: `IDMPAUTO`. One more field makes another entry of it.
    ByFields,
    /// By an id that the producer gives: `IDMP`.
    ById,
}

impl Xadd {
    /// Reads the arguments. `None`: they are not understood.
    #[inline]
    pub fn of(command: &Command, bytes: &[u8]) -> Option<Self> {
        if command.name != Name::Xadd {
            return None;
        }
        let mut rest = command.arguments(bytes);
        let key = rest.next()?;
        let mut nomkstream = false;
        let mut idempotence = Idempotence::None;
        let id = loop {
            let at = rest.next()?;
            match at.of(bytes) {
                b"*" => break at,
                // No option begins with a digit.
                word @ [b'0'..=b'9', ..] if is_id(word) => break at,
                _ => {}
            }
            let range = at.range();
            match folded(bytes, range.start, range.end) {
                MAXLEN | MINID => {
                    if matches!(rest.text()?, b"=" | b"~") {
                        rest.next()?;
                    }
                }
                LIMIT => drop(rest.next()?),
                NOMKSTREAM => nomkstream = true,
                IDMPAUTO => {
                    idempotence = Idempotence::ByFields;
                    rest.next()?;
                }
                IDMP => {
                    idempotence = Idempotence::ById;
                    rest.split(2)?;
                }
                KEEPREF | DELREF | ACKED => {}
                _ => return None,
            }
        };
        if rest.left() == 0 {
            // The broker refuses it, and would take it if fields were added.
            return None;
        }
        let fields = FieldList {
            count_at: command.count_at,
            count: command.count,
            per_pair: 2,
            elements: rest.left(),
            at: rest.rest(),
        };
        Some(Self { key, nomkstream, idempotence, id, fields })
    }

    /// The fields, to read.
    pub const fn fields(&self) -> &FieldList {
        &self.fields
    }

    /// The fields, to change.
    ///
    /// # Errors
    ///
    /// They are what the broker knows the entry by, or not in pairs.
    pub const fn editable_fields(&self) -> Result<&FieldList, Refusal> {
        if matches!(self.idempotence, Idempotence::ByFields) {
            return Err(Refusal::IdentityByFields);
        }
        if self.fields.elements % 2 == 1 {
            return Err(Refusal::OddPairs);
        }
        Ok(&self.fields)
    }
}

/// `XREAD` or `XREADGROUP`.
#[derive(Clone, Copy, Debug)]
pub struct StreamRead<'a> {
    /// The group and the consumer in it; `None` for `XREAD`.
    pub group: Option<(Extent, Extent)>,
    /// Whether what is delivered counts as acknowledged.
    pub noack: bool,
    /// The most entries of each stream.
    pub count: Option<u64>,
    /// How long it waits, in milliseconds; 0 for ever.
    pub block: Option<u64>,
    /// The streams.
    pub keys: Arguments<'a>,
    /// From where on, for each stream; `>` is what nobody has got yet.
    pub ids: Arguments<'a>,
}

impl<'a> StreamRead<'a> {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        if !matches!(command.name, Name::Xread | Name::Xreadgroup) {
            return None;
        }
        let mut rest = command.arguments(bytes);
        let (mut group, mut noack, mut count, mut block) = (None, false, None, None);
        loop {
            let word = rest.text()?;
            if is(word, b"STREAMS") {
                break;
            } else if is(word, b"COUNT") {
                count = Some(rest.number()?);
            } else if is(word, b"BLOCK") {
                block = Some(rest.number()?);
            } else if command.name == Name::Xread {
                return None;
            } else if is(word, b"GROUP") {
                group = Some((rest.next()?, rest.next()?));
            } else if is(word, b"NOACK") {
                noack = true;
            } else if is_one_of(word, &[b"CLAIM", b"MAXCOUNT", b"MAXSIZE"]) {
                rest.next()?;
            } else {
                return None;
            }
        }
        let has_group = command.name == Name::Xreadgroup;
        if rest.left() % 2 == 1 || rest.left() == 0 || group.is_some() != has_group {
            return None;
        }
        let keys = rest.split(rest.left() / 2)?;
        Some(Self { group, noack, count, block, keys, ids: rest })
    }
}

/// `XCLAIM` or `XAUTOCLAIM`.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The stream.
    pub key: Extent,
    /// The group.
    pub group: Extent,
    /// The consumer that wants the entries.
    pub consumer: Extent,
    /// Whether only ids come back, which is no delivery.
    pub just_id: bool,
    /// The entries that are wanted; for `XAUTOCLAIM` from where on.
    pub ids: Arguments<'a>,
}

impl<'a> Claim<'a> {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        if !matches!(command.name, Name::Xclaim | Name::Xautoclaim) {
            return None;
        }
        let mut rest = command.arguments(bytes);
        let (key, group, consumer, _) = (rest.next()?, rest.next()?, rest.next()?, rest.next()?);
        let mut ahead = rest;
        let mut ids_len: u32 = 0;
        while let Some(word) = ahead.text()
            && (is_id(word) || command.name == Name::Xautoclaim)
        {
            ids_len = ids_len.saturating_add(1);
            if command.name == Name::Xautoclaim {
                break;
            }
        }
        let ids = rest.split(ids_len).filter(|_| ids_len > 0)?;
        let mut just_id = false;
        while let Some(word) = rest.text() {
            if is(word, b"JUSTID") {
                just_id = true;
            } else if is_one_of(word, &[b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID", b"COUNT"]) {
                rest.next()?;
            } else if !is(word, b"FORCE") {
                return None;
            }
        }
        Some(Self { key, group, consumer, just_id, ids })
    }
}

/// `XACK`, `XACKDEL`, `XDEL` or `XDELEX`: entries that are done with.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledge<'a> {
    /// The stream.
    pub key: Extent,
    /// The group; `None` where entries are deleted for all groups.
    pub group: Option<Extent>,
    /// The entries.
    pub ids: Arguments<'a>,
}

impl<'a> Acknowledge<'a> {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        let (has_group, has_options) = match command.name {
            Name::Xack => (true, false),
            Name::Xackdel => (true, true),
            Name::Xdel => (false, false),
            Name::Xdelex => (false, true),
            _ => return None,
        };
        let mut rest = command.arguments(bytes);
        let key = rest.next()?;
        let group = if has_group { Some(rest.next()?) } else { None };
        if !has_options {
            return (rest.left() > 0).then_some(Self { key, group, ids: rest });
        }
        let mut word = rest.text()?;
        if is_one_of(word, &[b"KEEPREF", b"DELREF", b"ACKED"]) {
            word = rest.text()?;
        }
        let count = rest.number().and_then(|count| u32::try_from(count).ok())?;
        let ids = rest.split(count).filter(|_| is(word, b"IDS") && count > 0)?;
        Some(Self { key, group, ids })
    }
}
