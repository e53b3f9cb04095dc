//! A component of the contract that fails when it is told to.
//!
//! What it does is chosen by a word: the destination of a message or a delivery, the detail of a
//! settlement, the system of a route, or a header's value.
//!
//! ```text
//! trap      traps                        verdicts  answers one verdict too few
//! loop      never ends                   edit      answers a header value with a line's end
//! memory    allocates without end        splice    answers a splice past the end of any body
//! run       answers a span run that is none
//! stack     recurses without end         tail      answers bytes that belong to no message
//! slow      works for a while            pointer   answers a list outside its memory
//!                                        open      answers a span that stays open
//! refuse    (a route) refuses the settings
//! settle    (a route) traps at every settlement
//! ```
//!
//! Every other word is answered with zeros.
#![no_std]

extern crate alloc;

mod memory;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering};

use exports::spanbridge::tracing::messaging::{
    Answer, Delivery, Field, Guest as Messaging, Message, Route, Settings, Settlement, Verdict,
};
use exports::spanbridge::tracing::propagation::{Context, Guest as Propagation};
use spanbridge::tracing::types::{Propagator, Splice};

wit_bindgen::generate!({
    path: "../../../wit",
    world: "component",
    generate_all,
});

struct Faulty;

/// A route said `settle`.
static TRAPS_AT_SETTLEMENTS: AtomicBool = AtomicBool::new(false);

export!(Faulty);

/// Turns of the loop of `slow`: a tenth of a millisecond or so, well within the deadline.
const SLOW_TURNS: u32 = 50_000;

/// Does what a word says, as far as it does not concern the answer.
fn obey(word: &[u8]) {
    match word {
        b"trap" => core::arch::wasm32::unreachable(),
        b"loop" => loop {
            black_box(0);
        },
        b"memory" => loop {
            black_box(Vec::<u8>::with_capacity(1 << 20));
        },
        b"stack" => {
            black_box(recurse(black_box(1)));
        }
        b"slow" => {
            for turn in 0..SLOW_TURNS {
                black_box(turn);
            }
        }
        _ => {}
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == 0 { 0 } else { recurse(depth + 1) + frame[(depth % 64) as usize] }
}

fn zeros() -> Verdict {
    Verdict {
        trace_hi: 0,
        trace_lo: 0,
        span_id: 0,
        published: 0,
        not_before: 0,
        bits: 0,
        spans: 0,
        edits: 0,
        key: 0,
        open: 0,
    }
}

/// Answers zeros, changed as the words say.
fn answer<'a>(words: impl Iterator<Item = &'a [u8]>) -> Answer {
    let mut answer = Answer { verdicts: Vec::new(), spans: 0, bytes: Vec::new() };
    for word in words {
        // A subject may go on behind the word.
        let word = word.split(|byte| *byte == b'.').next().unwrap_or_default();
        obey(word);
        let mut verdict = zeros();
        match word {
            b"verdicts" => continue,
            b"edit" => {
                let value = b"a\r\nb: c";
                answer.bytes.extend_from_slice(&[0, 0, 0, 0, value.len() as u8]);
                answer.bytes.extend_from_slice(&[0; 11]);
                answer.bytes.extend_from_slice(value);
                verdict.edits = 16 + value.len() as u32;
            }
            b"splice" => {
                // No value; sixteen megabytes into the body, a byte goes.
                answer.bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
                answer.bytes.extend_from_slice(&[0, 0, 0, 1, 1, 0, 0, 0]);
                verdict.edits = 16;
            }
            b"run" => {
                answer.bytes.extend_from_slice(&[0x12, 0xff, 1, 2]);
                answer.spans += 4;
                verdict.spans = 4;
            }
            b"open" => {
                answer.bytes.push(0);
                verdict.open = 1;
            }
            b"tail" => answer.bytes.push(0),
            b"pointer" => {
                // SAFETY: none; the host is to notice, and this is never read or freed here.
                answer.bytes =
                    unsafe { Vec::from_raw_parts(0xfff0_0000 as *mut u8, 1 << 24, 1 << 24) };
            }
            _ => {}
        }
        answer.verdicts.push(verdict);
    }
    answer
}

fn part(arena: &[u8], at: u32, length: u32) -> &[u8] {
    &arena[at as usize..][..length as usize]
}

impl Messaging for Faulty {
    fn fields(_: Route) -> Vec<Field> {
        let name = "traceparent".to_string();
        vec![Field { number: 0, name, family: false, spares_body: true }]
    }

    fn open(_: Route, settings: Settings) -> Result<(), String> {
        memory::begin();
        obey(settings.system.as_bytes());
        if settings.system == "settle" {
            TRAPS_AT_SETTLEMENTS.store(true, Ordering::Relaxed);
        }
        match settings.system.as_str() {
            "refuse" => Err(format!("system {} cannot be had", settings.system)),
            _ => Ok(()),
        }
    }

    fn close(_: Route) {
        memory::begin();
    }

    fn publish(messages: Vec<Message>, arena: Vec<u8>) -> Answer {
        memory::begin();
        answer(messages.iter().map(|m| part(&arena, m.at, m.destination)))
    }

    fn deliver(deliveries: Vec<Delivery>, arena: Vec<u8>) -> Answer {
        memory::begin();
        answer(deliveries.iter().map(|d| part(&arena, d.at, d.destination)))
    }

    fn settle(settlements: Vec<Settlement>, arena: Vec<u8>) -> Vec<u8> {
        memory::begin();
        if TRAPS_AT_SETTLEMENTS.load(Ordering::Relaxed) {
            obey(b"trap");
        }
        for settlement in &settlements {
            match part(&arena, settlement.at + settlement.open, settlement.detail) {
                b"run" => return vec![0x12, 0xff, 1],
                word => obey(word),
            }
        }
        Vec::new()
    }
}

impl Propagation for Faulty {
    fn configure(_: Vec<Propagator>) {
        memory::begin();
    }

    fn fields() -> Vec<String> {
        memory::begin();
        vec!["traceparent".to_string()]
    }

    fn extract(carrier: Vec<(String, String)>) -> Option<Context> {
        memory::begin();
        carrier.iter().for_each(|(_, value)| obey(value.as_bytes()));
        None
    }

    fn inject(context: Context) -> Vec<(String, String)> {
        memory::begin();
        context.baggage.iter().for_each(|member| obey(member.value.as_bytes()));
        Vec::new()
    }

    fn extract_body(_: String, _: Vec<u8>) -> Option<Context> {
        memory::begin();
        None
    }

    fn inject_body(_: String, _: Vec<u8>, _: Context) -> Option<Vec<Splice>> {
        memory::begin();
        None
    }
}
