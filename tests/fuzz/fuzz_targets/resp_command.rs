//! See `spanbridge_fuzz::resp_command`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanbridge_fuzz::resp_command(data));
