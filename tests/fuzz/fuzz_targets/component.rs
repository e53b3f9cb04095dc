//! See `spanbridge_fuzz::component`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanbridge_fuzz::component(data));
