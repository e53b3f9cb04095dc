//! Saying in an `INFO` what is true for the connection that it goes out on.
//!
//! ```text
//! INFO {"server_id":"N…","tls_required":true,"max_payload":1048576} ↵      broker ── TLS ── here
//! INFO {"server_id":"N…","tls_required":false,"max_payload":1048576} ↵     here ── plain ── client
//! ```
//!
//! Three members are about the connection and not about the broker: `tls_required`,
//! `tls_available` and `tls_verify`. Everything else stays as it is, byte for byte.

use crate::Extent;
use crate::json::{self, Value};
use crate::splice::Patch;

/// What an `INFO` is to say about the connection that it goes out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSaid {
    /// The client has to start a TLS handshake, or has done so.
    pub required: bool,
    /// It has to show a certificate in it.
    pub verify: bool,
}

/// The changes of one `INFO`: at most one for each member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsPatches {
    patches: [Patch<'static>; 3],
    count: usize,
}

impl TlsPatches {
    /// The changes, in the order of the text.
    pub fn as_slice(&self) -> &[Patch<'static>] {
        self.patches.get(..self.count).unwrap_or_default()
    }

    fn add(&mut self, at: Extent, with: &'static [u8]) {
        if let Some(place) = self.patches.get_mut(self.count) {
            *place = Patch { at, with };
            self.count = self.count.saturating_add(1);
        }
    }
}

impl TlsSaid {
    /// Plans the changes that make the JSON of an `INFO` say this.
    ///
    /// A member that is absent means `false`, and is left absent where that is true. Answers
    /// `None` when it is no JSON object.
    pub fn plan(self, json: &[u8]) -> Option<TlsPatches> {
        let keys: [&[u8]; 3] = [b"tls_required", b"tls_available", b"tls_verify"];
        let found = json::find(json, keys)?;
        let wanted = [
            (
                self.required,
                b"\"tls_required\":true,".as_slice(),
                b"\"tls_required\":true".as_slice(),
            ),
            // Where TLS is required a server does not say that it is available as well.
            (false, b"", b""),
            (self.verify, b"\"tls_verify\":true,", b"\"tls_verify\":true"),
        ];
        let (first, is_empty) = first_member(json)?;
        let mut plan = TlsPatches::default();
        for (value, (want, member, alone)) in found.into_iter().zip(wanted) {
            match value {
                Some(value) if value.as_bool() == Some(want) => {}
                Some(value) => {
                    let with: &[u8] = if want { b"true" } else { b"false" };
                    plan.add(place_of(value, json), with);
                }
                // Only the first of several can stand alone in an empty object.
                None if want && is_empty && plan.count == 0 => plan.add(first, alone),
                None if want && !is_empty => plan.add(first, member),
                None => {}
            }
        }
        let patches = plan.patches.get_mut(..plan.count)?;
        // Stable: what is inserted at one place keeps its order.
        patches.sort_by_key(|patch| (patch.at.start(), patch.at.end()));
        Some(plan)
    }
}

/// Where the first member stands or would stand, and whether there is none.
fn first_member(json: &[u8]) -> Option<(Extent, bool)> {
    let open = json.iter().position(|&byte| byte == b'{')?;
    let at = open.saturating_add(1);
    let next = json.get(at..)?.iter().find(|byte| !byte.is_ascii_whitespace());
    Some((Extent::between(at, at), next == Some(&b'}')))
}

/// Where a value that was found in `json` lies.
fn place_of(value: Value<'_>, json: &[u8]) -> Extent {
    let range = value.range_in(json);
    Extent::between(range.start, range.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splice;

    fn said(json: &str, required: bool, verify: bool) -> Option<String> {
        let plan = TlsSaid { required, verify }.plan(json.as_bytes())?;
        splice::len_after(json.len(), plan.as_slice()).expect("patches have a meaning");
        let mut out = Vec::new();
        splice::write(json.as_bytes(), plan.as_slice(), &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn only_what_is_not_true_is_changed() {
        let both = r#"{ "a":1.0, "tls_required" : true,"tls_verify":true ,"tls_available":true}"#;
        for (json, required, verify, expected) in [
            (r#"{"a":1}"#, false, false, r#"{"a":1}"#),
            (r#"{"a":1}"#, true, false, r#"{"tls_required":true,"a":1}"#),
            (r#"{"a":1}"#, true, true, r#"{"tls_required":true,"tls_verify":true,"a":1}"#),
            (r#"{"tls_required":true}"#, true, false, r#"{"tls_required":true}"#),
            (r#"{"tls_required":true}"#, false, false, r#"{"tls_required":false}"#),
            (r#"{"tls_available":true}"#, false, false, r#"{"tls_available":false}"#),
            ("{ }", true, false, "{\"tls_required\":true }"),
            ("{}", false, false, "{}"),
            (
                both,
                false,
                false,
                r#"{ "a":1.0, "tls_required" : false,"tls_verify":false ,"tls_available":false}"#,
            ),
            (
                both,
                true,
                false,
                r#"{ "a":1.0, "tls_required" : true,"tls_verify":false ,"tls_available":false}"#,
            ),
            // A nested one is somebody else's; of two the last one counts.
            (r#"{"x":{"tls_required":true}}"#, false, false, r#"{"x":{"tls_required":true}}"#),
            (
                r#"{"tls_required":true,"tls_required":true}"#,
                false,
                false,
                r#"{"tls_required":true,"tls_required":false}"#,
            ),
            (r#"{"tls_required":"yes"}"#, true, false, r#"{"tls_required":true}"#),
        ] {
            let found = said(json, required, verify);
            assert_eq!(found.as_deref(), Some(expected), "{json} {required} {verify}");
        }
    }

    #[test]
    fn what_is_no_object_stays_alone() {
        for json in ["", "[]", "{", r#"{"tls_required":true"#, "true"] {
            assert_eq!(said(json, true, true), None, "{json}");
        }
    }
}
