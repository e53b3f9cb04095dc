//! See `spanbridge_fuzz::amqp_splice`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanbridge_fuzz::amqp_splice(data));
