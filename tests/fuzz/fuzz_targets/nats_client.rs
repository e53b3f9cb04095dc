//! See `spanbridge_fuzz::nats_client`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanbridge_fuzz::nats_client(data));
