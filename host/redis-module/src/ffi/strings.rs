//! The settings that are strings, as the server asks for them and sets them.
//!
//! The server knows a setting by the number that it hands back with each call. It calls `set` for
//! each setting that a command names, then `apply`; where one of them refuses, it sets back what
//! `get` has answered before.

use std::ffi::{CString, c_char, c_int};
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{API, Api, ERR, OK, OnApply, Raw, bytes, string};
use crate::{config, entry};

/// Of `RedisModule_RegisterStringConfig`: `CONFIG SET` is refused.
const IMMUTABLE: u32 = 1 << 0;

/// What was answered last for each setting: the server reads it, and leaves it to the module.
static SHOWN: [AtomicPtr<std::ffi::c_void>; config::COUNT] =
    [const { AtomicPtr::new(null_mut()) }; config::COUNT];

/// Registers all of them.
///
/// # Safety
///
/// `context` is that of `RedisModule_OnLoad`.
pub(super) unsafe fn register(api: &Api, context: Raw) -> bool {
    (0..config::COUNT).all(|at| {
        let name = CString::new(config::name(at));
        let default = CString::new(entry::default_of(at));
        // A NUL has no place in a setting of the server's either.
        let (Ok(name), Ok(default)) = (name, default) else { return false };
        let number = without_provenance_mut(at);
        let (flags, apply) = match config::is_changeable(at) {
            true => (0, Some(on_apply as OnApply)),
            false => (IMMUTABLE, None),
        };
        let (name, default) = (name.as_ptr(), default.as_ptr());
        // SAFETY: the server copies both strings, and the functions are of the types it calls.
        let status = unsafe {
            (api.register_string)(context, name, default, flags, get, set, apply, number)
        };
        status == OK
    })
}

extern "C" fn get(_: *const c_char, number: Raw) -> Raw {
    let Some((api, shown)) = API.get().zip(SHOWN.get(number.addr())) else { return null_mut() };
    let text = entry::text_of(number.addr());
    let new = string(api, text.as_bytes());
    let old = shown.swap(new, Ordering::Relaxed);
    if !old.is_null() {
        // SAFETY: it was made here, and the server has read it in the call that it was made for.
        unsafe { (api.free_string)(null_mut(), old) };
    }
    new
}

extern "C" fn set(_: *const c_char, value: Raw, number: Raw, error: *mut Raw) -> c_int {
    let Some(api) = API.get() else { return ERR };
    // SAFETY: the value is a string of the server's that outlives this call.
    let text = String::from_utf8_lossy(unsafe { bytes(api, value) });
    // SAFETY: the server hands over a place for an error.
    unsafe { answer(api, entry::set(number.addr(), &text), error) }
}

extern "C" fn on_apply(_: Raw, _: Raw, error: *mut Raw) -> c_int {
    let Some(api) = API.get() else { return ERR };
    // SAFETY: as above.
    unsafe { answer(api, entry::apply(), error) }
}

/// Answers the server. It frees the text of an error, of which it shows 255 bytes.
///
/// # Safety
///
/// `error` is null, or a place for a string.
unsafe fn answer(api: &Api, result: Result<(), String>, error: *mut Raw) -> c_int {
    let Err(text) = result else { return OK };
    if !error.is_null() {
        // SAFETY: as the caller says.
        unsafe { *error = string(api, text.as_bytes()) };
    }
    ERR
}
