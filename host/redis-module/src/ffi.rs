//! The server's API: the two dozen functions that the module needs, behind safe ones.
//!
//! A module gets no symbols to link with. The first word of the context that it is loaded with is a
//! function that answers pointers by name (`redismodule.h`, `RedisModule_Init`).
//!
//! All `unsafe` code of the crate is here and below. The server calls in from its main thread only;
//! what may be called from any thread is [`log`].

use std::ffi::{CStr, c_char, c_int, c_ulonglong, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

mod load;
mod strings;

const OK: c_int = 0;
const ERR: c_int = 1;

/// Of `RedisModule_GetContextFlags`.
const FLAG_LUA: c_int = 1 << 0;

type Raw = *mut c_void;

/// A server event. Passed by value, as C does.
#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    id: u64,
    version: u64,
}

type OnCommand = extern "C" fn(Raw, *mut Raw, c_int) -> c_int;
type OnFilter = extern "C" fn(Raw);
type OnEvent = extern "C" fn(Raw, Event, u64, Raw);
type OnInfo = extern "C" fn(Raw, c_int);
type GetBool = extern "C" fn(*const c_char, Raw) -> c_int;
type SetBool = extern "C" fn(*const c_char, c_int, Raw, *mut Raw) -> c_int;
type GetString = extern "C" fn(*const c_char, Raw) -> Raw;
type SetString = extern "C" fn(*const c_char, Raw, Raw, *mut Raw) -> c_int;
type Log = unsafe extern "C" fn(Raw, *const c_char, *const c_char, ...);
type OnApply = extern "C" fn(Raw, Raw, *mut Raw) -> c_int;

macro_rules! api {
    ($($field:ident $symbol:literal ($($argument:ty),* $(; $dots:tt)?) $(-> $answer:ty)?;)+) => {
        /// Functions of the server.
        struct Api {
            $($field: unsafe extern "C" fn($($argument),* $(, $dots)?) $(-> $answer)?,)+
        }

        impl Api {
            /// Asks for all of them. An error is the name of one that the server does not have.
            ///
            /// # Safety
            ///
            /// `context` is what the server hands to `RedisModule_OnLoad`.
            unsafe fn find(context: Raw) -> Result<Self, &'static CStr> {
                // SAFETY: as the caller says.
                let find = |name| unsafe { find(context, name) }.ok_or(name);
                Ok(Self {
                    $(
                        // SAFETY: the server answers a function of this name's type.
                        $field: unsafe { std::mem::transmute::<
                            Raw,
                            unsafe extern "C" fn($($argument),* $(, $dots)?) $(-> $answer)?,
                        >(find($symbol)?) },
                    )+
                })
            }
        }
    };
}

api! {
    set_attributes c"RedisModule_SetModuleAttribs" (Raw, *const c_char, c_int, c_int);
    is_busy c"RedisModule_IsModuleNameBusy" (*const c_char) -> c_int;
    create_command c"RedisModule_CreateCommand"
        (Raw, *const c_char, OnCommand, *const c_char, c_int, c_int, c_int) -> c_int;
    register_filter c"RedisModule_RegisterCommandFilter" (Raw, OnFilter, c_int) -> Raw;
    filter_count c"RedisModule_CommandFilterArgsCount" (Raw) -> c_int;
    filter_get c"RedisModule_CommandFilterArgGet" (Raw, c_int) -> Raw;
    filter_insert c"RedisModule_CommandFilterArgInsert" (Raw, c_int, Raw) -> c_int;
    filter_replace c"RedisModule_CommandFilterArgReplace" (Raw, c_int, Raw) -> c_int;
    filter_delete c"RedisModule_CommandFilterArgDelete" (Raw, c_int) -> c_int;
    string_bytes c"RedisModule_StringPtrLen" (Raw, *mut usize) -> *const c_char;
    new_string c"RedisModule_CreateString" (Raw, *const c_char, usize) -> Raw;
    free_string c"RedisModule_FreeString" (Raw, Raw);
    context_flags c"RedisModule_GetContextFlags" (Raw) -> c_int;
    subscribe c"RedisModule_SubscribeToServerEvent" (Raw, Event, OnEvent) -> c_int;
    register_info c"RedisModule_RegisterInfoFunc" (Raw, OnInfo) -> c_int;
    info_section c"RedisModule_InfoAddSection" (Raw, *const c_char) -> c_int;
    info_number c"RedisModule_InfoAddFieldULongLong" (Raw, *const c_char, c_ulonglong) -> c_int;
    register_bool c"RedisModule_RegisterBoolConfig" (
        Raw, *const c_char, c_int, u32, GetBool, SetBool, Raw, Raw
    ) -> c_int;
    register_string c"RedisModule_RegisterStringConfig" (
        Raw, *const c_char, *const c_char, u32, GetString, SetString, Option<OnApply>, Raw
    ) -> c_int;
    load_configs c"RedisModule_LoadConfigs" (Raw) -> c_int;
    reply_string c"RedisModule_ReplyWithStringBuffer" (Raw, *const c_char, usize) -> c_int;
    reply_error c"RedisModule_ReplyWithError" (Raw, *const c_char) -> c_int;
    log c"RedisModule_Log" (Raw, *const c_char, *const c_char; ...);
}

static API: OnceLock<Api> = OnceLock::new();

/// Whether a script's command can have more arguments than the script has given it.
static SCRIPTS_CAN_GROW: AtomicBool = AtomicBool::new(true);

/// Asks the server for a function.
///
/// # Safety
///
/// `context` is what the server hands to `RedisModule_OnLoad`.
unsafe fn find(context: Raw, name: &CStr) -> Option<Raw> {
    type GetApi = unsafe extern "C" fn(*const c_char, *mut Raw) -> c_int;
    // SAFETY: the context begins with a pointer to this function.
    let get = unsafe { *context.cast::<Option<GetApi>>() }?;
    let mut found = null_mut();
    // SAFETY: both arguments are valid for the call.
    let status = unsafe { get(name.as_ptr(), &raw mut found) };
    (status == OK && !found.is_null()).then_some(found)
}

/// How much a line of the server's log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Notice,
    Warning,
}

/// Writes a line into the server's log. From any thread; nothing before the module is loaded.
pub(crate) fn log(level: Level, text: &str) {
    if let Some(api) = API.get() {
        write(api.log, level, text);
    }
}

fn write(log: Log, level: Level, text: &str) {
    let level = match level {
        Level::Debug => c"debug",
        Level::Notice => c"notice",
        Level::Warning => c"warning",
    };
    // A NUL would end the line early; there is none in what we write.
    let mut line = text.replace('\0', " ");
    line.push('\0');
    // SAFETY: all three are strings that end with NUL, and the format takes one of them. Without
    // a context the server may be asked from any thread.
    unsafe { log(null_mut(), level.as_ptr(), c"%s".as_ptr(), line.as_ptr()) };
}

/// Answers whether this moment's command is one that must not get more arguments: one of a script,
/// in Valkey above 8.0. On the server's main thread.
pub(crate) fn cannot_grow() -> bool {
    !SCRIPTS_CAN_GROW.load(Ordering::Relaxed) && in_script()
}

/// Answers whether a script runs at this moment. On the server's main thread.
pub(crate) fn in_script() -> bool {
    // SAFETY: the function takes no context as well.
    API.get().is_some_and(|api| unsafe { (api.context_flags)(null_mut()) } & FLAG_LUA != 0)
}

/// Calls `body` with every signal blocked that another thread can take, for the threads it starts.
pub(crate) fn without_signals<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are filled in before they are read, and the mask of this thread is put
    // back as it was. Signals of a fault stay with the thread that has it.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT] {
            libc::sigdelset(&raw mut all, fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        let answer = body();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, null_mut());
        answer
    }
}

/// The arguments of one command, to read and to change.
#[derive(Clone, Copy)]
pub(crate) struct Filter<'f> {
    raw: Raw,
    api: &'static Api,
    call: PhantomData<&'f ()>,
}

impl std::fmt::Debug for Filter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("count", &self.count()).finish()
    }
}

impl<'f> Filter<'f> {
    /// How many there are, the command's name counted.
    pub(crate) fn count(&self) -> usize {
        // SAFETY: the filter is that of the call that runs.
        usize::try_from(unsafe { (self.api.filter_count)(self.raw) }).unwrap_or(0)
    }

    /// One of them; empty past the end. It lies in the server until it is replaced or deleted,
    /// which only [`Self::change`] does.
    pub(crate) fn get(&self, at: usize) -> &'f [u8] {
        let Ok(at) = c_int::try_from(at) else { return b"" };
        // SAFETY: the server answers NULL past the end, and else one of the command's strings,
        // which outlives the call of the filter.
        unsafe { bytes(self.api, (self.api.filter_get)(self.raw, at)) }
    }

    /// Changes the argument at `at`. What [`Self::get`] answered before may be gone then: for
    /// `Changes`, which read nothing any more.
    pub(crate) fn change(&self, at: usize, change: Change, bytes: &[u8]) {
        let Ok(at) = c_int::try_from(at) else { return };
        let Self { raw, api, .. } = *self;
        // SAFETY: the string is the server's from here on: without a context it is managed by
        // nobody else, and the filter takes it over. The server looks at `at`.
        unsafe {
            match change {
                Change::Delete => (api.filter_delete)(raw, at),
                Change::Insert => (api.filter_insert)(raw, at, string(api, bytes)),
                Change::Replace => (api.filter_replace)(raw, at, string(api, bytes)),
            };
        }
    }
}

/// What becomes of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Insert,
    Replace,
    Delete,
}

/// The bytes of a string of the server's. It lies there for as long as the server says.
///
/// # Safety
///
/// `string` is one that the server hands over, or null.
unsafe fn bytes<'s>(api: &Api, string: Raw) -> &'s [u8] {
    if string.is_null() {
        return b"";
    }
    let mut length = 0;
    // SAFETY: the string is the server's.
    let bytes = unsafe { (api.string_bytes)(string, &raw mut length) };
    if bytes.is_null() {
        return b"";
    }
    // SAFETY: the server answers that many bytes, and changes them no more: a string is changed by
    // exchanging it.
    unsafe { std::slice::from_raw_parts(bytes.cast(), length) }
}

fn string(api: &Api, bytes: &[u8]) -> Raw {
    // SAFETY: the server copies the bytes, and ends the process where it has no memory.
    unsafe { (api.new_string)(null_mut(), bytes.as_ptr().cast(), bytes.len()) }
}

/// Lines of `INFO`.
#[derive(Debug)]
pub(crate) struct InfoPage {
    raw: Raw,
}

impl InfoPage {
    /// Adds a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        let (Some(api), Ok(name)) = (API.get(), std::ffi::CString::new(name)) else { return };
        // SAFETY: the page is that of the call that runs, and the server copies the name.
        unsafe { (api.info_number)(self.raw, name.as_ptr(), value) };
    }
}
