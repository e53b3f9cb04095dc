//! See `spanbridge_fuzz::carrier`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanbridge_fuzz::carrier(data));
