//! Laws of the context formats.

use spanbridge_guest::baggage;
use spanbridge_guest::carrier::{Carrier, Entry};
use spanbridge_guest::context::Context;
use spanbridge_guest::field::Field;
use spanbridge_guest::ot_sampling::OtSampling;
use spanbridge_guest::propagator::{Propagator, Propagators};
use spanbridge_guest::traceparent::{self, Traceparent};
use spanbridge_guest::tracestate::{self, Tracestate};

use super::input::Input;

/// Fields in any number and order: what is read is written so that it reads the same.
///
/// ```text
/// which formats  { field  key    value }…
/// u8             { u8     piece  piece }
/// ```
pub fn carrier(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.byte();
    let mut entries = Vec::new();
    loop {
        let (field, key, value) = (input.byte(), input.piece(), input.piece());
        if key.is_empty() && value.is_empty() {
            break;
        }
        one_value(value);
        if let Some(field) = Field::from_number(field) {
            entries.push(Entry { field, key, value });
        }
    }
    let mut several = Propagators::NONE;
    for (place, propagator) in Propagator::ALL.into_iter().enumerate() {
        let mut alone = Propagators::NONE;
        alone.add(propagator);
        read_and_write(alone, &entries);
        if which >> place & 1 == 1 {
            several.add(propagator);
        }
    }
    read_and_write(several, &entries);
    lists(&entries);
}

fn read_and_write(propagators: Propagators, entries: &[Entry<'_>]) {
    let Some(read) = propagators.extract(entries) else {
        return;
    };
    let written = inject(propagators, &read);
    let Some(again) = extract(propagators, &written) else {
        // Jaeger's debug header makes baggage of names that it could not write itself.
        assert!(read.trace.is_none(), "a span that is read is written");
        return;
    };
    if let (Some(read), Some(again)) = (&read.trace, &again.trace) {
        // OT trace has room for half of a trace-id.
        assert_eq!(read.trace_id.lo, again.trace_id.lo);
        assert_eq!(read.span_id, again.span_id);
        assert_eq!(read.flags.is_sampled(), again.flags.is_sampled());
    }
    assert_eq!(extract(propagators, &inject(propagators, &again)).as_ref(), Some(&again));
}

type Written = Vec<(Field, Vec<u8>, Vec<u8>)>;

/// Writes a context; no field may break out of its line.
fn inject(propagators: Propagators, context: &Context) -> Written {
    let mut written = Vec::new();
    propagators.inject(context, &mut |field, key, value| {
        let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        assert!(!key.iter().chain(value).any(control));
        assert!(propagators.writes().any(|writes| writes == field));
        assert_eq!(field.is_family(), !key.is_empty());
        written.push((field, key.to_vec(), value.to_vec()));
    });
    written
}

fn extract(propagators: Propagators, fields: &Written) -> Option<Context> {
    let entries: Vec<_> =
        fields.iter().map(|(field, key, value)| Entry { field: *field, key, value }).collect();
    propagators.extract(&entries)
}

/// Laws of single values, whatever field they came in.
fn one_value(value: &[u8]) {
    if let Some(read) = Traceparent::parse(value) {
        let written = read.format();
        assert_eq!(Traceparent::parse(&written), Some(read));
        assert_eq!(written[3..52], value[3..52]);
        assert_eq!(written.len(), traceparent::LEN);
    }
    let mut written = Vec::new();
    OtSampling::parse(value).write(&mut written);
    let mut again = Vec::new();
    OtSampling::parse(&written).write(&mut again);
    assert_eq!(written, again);
}

/// Laws of `tracestate` and baggage, whose values may be spread over fields.
fn lists(entries: &[Entry<'_>]) {
    let carrier = Carrier::new(entries);
    let list = Tracestate::parse(carrier.values(Field::Tracestate));
    assert!(list.members().count() <= tracestate::MEMBERS_MAX);
    let mut written = Vec::new();
    if list.write_with(&mut written, b"ours", b"1") {
        assert!(written.len() <= tracestate::WRITTEN_BYTES_MAX);
        let again = Tracestate::parse([&written[..]]);
        assert_eq!(again.members().next(), Some((&b"ours"[..], &b"1"[..])));
    }
    let members = baggage::parse(carrier.values(Field::Baggage));
    let written = baggage::format(&members);
    assert!(written.len() <= baggage::BYTES_MAX);
    assert_eq!(baggage::parse([&written[..]].into_iter()), members);
}
