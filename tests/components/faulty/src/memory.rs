//! Memory: a pointer that moves, and begins anew with each call. Beyond its first region it grows
//! the component's memory for as long as the host lets it.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

const PAGE: usize = 1 << 16;

struct Bump {
    /// Where the region begins; 0 before the first allocation.
    base: UnsafeCell<usize>,
    at: UnsafeCell<usize>,
    begun: UnsafeCell<bool>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Bump {}

#[global_allocator]
static MEMORY: Bump =
    Bump { base: UnsafeCell::new(0), at: UnsafeCell::new(0), begun: UnsafeCell::new(false) };

// SAFETY: blocks do not overlap until `begin` and the next argument give all of them up.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference lives across a call.
        let (base, at) = unsafe { (&mut *self.base.get(), &mut *self.at.get()) };
        if *base == 0 {
            *base = core::arch::wasm32::memory_size::<0>() * PAGE;
            *at = *base;
        }
        let start = at.next_multiple_of(layout.align());
        let end = start + layout.size();
        let have = core::arch::wasm32::memory_size::<0>() * PAGE;
        if end > have {
            let pages = (end - have).div_ceil(PAGE);
            if core::arch::wasm32::memory_grow::<0>(pages) == usize::MAX {
                return ptr::null_mut();
            }
        }
        *at = end;
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Says that the body of an export has begun: the next argument belongs to another call.
pub(crate) fn begin() {
    // SAFETY: one thread.
    unsafe { *MEMORY.begun.get() = true };
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
    size: usize,
) -> *mut u8 {
    // SAFETY: one thread; sizes and alignments are the ABI's.
    unsafe {
        if core::mem::take(&mut *MEMORY.begun.get()) {
            *MEMORY.at.get() = *MEMORY.base.get();
        }
        let new = MEMORY.alloc(Layout::from_size_align_unchecked(size, align));
        if new.is_null() {
            core::arch::wasm32::unreachable();
        }
        if old_size != 0 {
            ptr::copy_nonoverlapping(old, new, old_size.min(size));
        }
        new
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
