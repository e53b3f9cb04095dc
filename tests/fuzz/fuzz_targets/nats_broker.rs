//! See `spanbridge_fuzz::nats_broker`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanbridge_fuzz::nats_broker(data));
