//! Memory of the component, in two regions.
//!
//! ```text
//! CALL  arguments and results of one call; begins anew with the next call
//! KEEP  what `open` and `configure` build; never freed, a recycled instance starts empty
//! ```
//!
//! Nothing is ever freed piece by piece: a call needs no more than a pointer that moves, and a
//! host that recycles instances gets everything back. A region that is full answers null, which
//! ends in a trap, which the host answers by forwarding messages as they came.
//!
//! The region of a call begins anew when the first argument of the next call arrives, not when
//! the results are handed over: the host reads results in place after the call has returned.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// Holds the arena and records of one call (the host hands in at most 1 MiB), its spans and edits
/// (about as much again), and bodies being spliced. Pages that no call reaches are never resident.
const CALL_BYTES_MAX: usize = 4 << 20;

/// About 1.5 KiB for each route, so some 650 routes; the host recycles an instance that ran out.
const KEEP_BYTES_MAX: usize = 1 << 20;

#[repr(align(64))]
struct Region<const N: usize>(UnsafeCell<[u8; N]>);

// SAFETY: a component has one thread.
unsafe impl<const N: usize> Sync for Region<N> {}

static CALL: Region<CALL_BYTES_MAX> = Region(UnsafeCell::new([0; CALL_BYTES_MAX]));
static KEEP: Region<KEEP_BYTES_MAX> = Region(UnsafeCell::new([0; KEEP_BYTES_MAX]));

struct State {
    call_at: usize,
    keep_at: usize,
    /// An export's body has begun: the next argument belongs to the next call.
    begun: bool,
    /// What is allocated now outlives the call.
    keeping: bool,
}

struct Shared(UnsafeCell<State>);

// SAFETY: a component has one thread.
unsafe impl Sync for Shared {}

static STATE: Shared =
    Shared(UnsafeCell::new(State { call_at: 0, keep_at: 0, begun: false, keeping: false }));

struct Arena;

#[global_allocator]
static ARENA: Arena = Arena;

/// Moves `at` past a block and answers its address; null when the region is full.
fn bump(base: *mut u8, at: &mut usize, capacity: usize, size: usize, align: usize) -> *mut u8 {
    // The regions are aligned to 64 bytes, more than any type here asks for.
    let start = (*at + align - 1) & !(align - 1);
    if start > capacity || size > capacity - start {
        return ptr::null_mut();
    }
    *at = start + size;
    base.wrapping_add(start)
}

// SAFETY: blocks do not overlap while they live: `bump` only moves forward, and CALL begins anew
// only when everything that points into it belongs to a call that is over.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference into STATE lives across this call.
        let state = unsafe { &mut *STATE.0.get() };
        let (size, align) = (layout.size(), layout.align());
        if state.keeping {
            bump(KEEP.0.get().cast(), &mut state.keep_at, KEEP_BYTES_MAX, size, align)
        } else {
            bump(CALL.0.get().cast(), &mut state.call_at, CALL_BYTES_MAX, size, align)
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size <= layout.size() {
            return old;
        }
        // SAFETY: one thread, and no reference into STATE lives across this call.
        let state = unsafe { &mut *STATE.0.get() };
        let base: *mut u8 = CALL.0.get().cast();
        let is_last = old.wrapping_add(layout.size()) == base.wrapping_add(state.call_at);
        let more = new_size - layout.size();
        if is_last && !state.keeping && more <= CALL_BYTES_MAX - state.call_at {
            // The last block of CALL grows where it is.
            state.call_at += more;
            return old;
        }
        // SAFETY: `layout` is valid by the caller's contract, and only its size grows.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(old, new, layout.size());
            }
            new
        }
    }
}

/// Begins the body of an export whose memory is gone with the next call.
pub(crate) fn begin_call() {
    // SAFETY: one thread.
    let state = unsafe { &mut *STATE.0.get() };
    state.begun = true;
    state.keeping = false;
}

/// Runs `build`, and keeps what it allocates.
pub(crate) fn keep<T>(build: impl FnOnce() -> T) -> T {
    // SAFETY: one thread; the reference does not live across `build`.
    unsafe { (*STATE.0.get()).keeping = true };
    let kept = build();
    // SAFETY: as above.
    unsafe { (*STATE.0.get()).keeping = false };
    kept
}

/// Where the canonical ABI places arguments.
///
/// # Safety
///
/// Called by the host's side of the canonical ABI, with a block of this function's or none.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: one thread.
    let state = unsafe { &mut *STATE.0.get() };
    if state.begun {
        *state = State { call_at: 0, keep_at: state.keep_at, begun: false, keeping: false };
    }
    let new = bump(CALL.0.get().cast(), &mut state.call_at, CALL_BYTES_MAX, new_size, align);
    if new.is_null() {
        core::arch::wasm32::unreachable();
    }
    if old_size != 0 {
        // SAFETY: the caller owns `old` with its size; `new` has just been set apart.
        unsafe { ptr::copy_nonoverlapping(old, new, old_size.min(new_size)) };
    }
    new
}

/// A panic is a trap: there is nobody to read a message.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
