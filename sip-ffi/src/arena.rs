//! The allocator: the system's, or the caller's memory while an engine is made in it.
//!
//! An engine allocates only while it is made. During that time, and on that thread alone, every
//! allocation is cut from the caller's memory; nothing is given back, and an engine in the caller's
//! memory is never dropped. So the cursor is the only state, and it lives as long as one call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::{NonNull, null_mut};

/// The rest of the caller's memory, and where it began.
#[derive(Clone, Copy)]
struct Cursor {
    start: *mut u8,
    next: *mut u8,
    end: *mut u8,
}

thread_local! {
    static CURSOR: Cell<Option<Cursor>> = const { Cell::new(None) };
}

struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

impl Cursor {
    fn cut(&mut self, layout: Layout) -> *mut u8 {
        let next = self.next as usize;
        let Some(aligned) = next.checked_next_multiple_of(layout.align()) else {
            return null_mut();
        };
        let Some(after) = aligned.checked_add(layout.size()) else { return null_mut() };
        if after > self.end as usize {
            return null_mut();
        }
        let place = self.next.wrapping_add(aligned - next);
        self.next = place.wrapping_add(layout.size());
        place
    }
}

/// The cursor of this thread. What a panic allocates belongs to the system: it outlives the call.
fn cursor() -> Option<Cursor> {
    let cursor = CURSOR.try_with(Cell::get).ok().flatten()?;
    (!std::thread::panicking()).then_some(cursor)
}

/// Whether `place` was cut from the caller's memory of the call at work.
fn is_cut(place: *mut u8) -> bool {
    let cursor = CURSOR.try_with(Cell::get).ok().flatten();
    cursor.is_some_and(|c| c.start <= place && place < c.end)
}

// SAFETY: a cut lies inside the caller's memory, is aligned, has the size asked for and overlaps no
// other cut; everything else is the system's allocator.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(mut now) = cursor() else {
            #[cfg(test)]
            count::one();
            // SAFETY: the caller's promise about `layout` is passed on.
            return unsafe { System.alloc(layout) };
        };
        let place = now.cut(layout);
        let _ = CURSOR.try_with(|c| c.set(Some(now)));
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if !is_cut(place) {
            // SAFETY: not cut by us, so the system allocated it with this layout.
            unsafe { System.dealloc(place, layout) };
        }
    }
}

/// Runs `f` with all its allocations cut from `len` bytes at `memory`.
///
/// # Safety
/// The memory is valid for writes, nobody else uses it while what `f` made is alive, and what `f`
/// made is never dropped outside it.
pub(crate) unsafe fn within<R>(memory: NonNull<u8>, len: usize, f: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            let _ = CURSOR.try_with(|c| c.set(None));
        }
    }
    let start = memory.as_ptr();
    let cursor = Cursor { start, next: start, end: start.wrapping_add(len) };
    let _ = CURSOR.try_with(|c| c.set(Some(cursor)));
    let _reset = Reset;
    f()
}

/// Puts a value into memory of its own. `None` if there is none left, and the value is dropped.
pub(crate) fn place<T>(value: T) -> Option<NonNull<T>> {
    let layout = Layout::new::<T>();
    assert!(layout.size() > 0);
    // SAFETY: the size is not zero.
    let at = NonNull::new(unsafe { std::alloc::alloc(layout) })?.cast::<T>();
    // SAFETY: just allocated with T's layout.
    unsafe { at.write(value) };
    Some(at)
}

/// Takes a value back out of the memory that [`place`] gave it, and frees that.
///
/// # Safety
/// `at` came from [`place`], with the allocator that is at work now, and is not used again.
pub(crate) unsafe fn unplace<T>(at: NonNull<T>) -> T {
    // SAFETY: `at` holds a T that nobody else will use.
    let value = unsafe { at.read() };
    // SAFETY: `place` allocated it with this layout.
    unsafe { std::alloc::dealloc(at.as_ptr().cast(), Layout::new::<T>()) };
    value
}

/// Counts the system's allocations of this thread, for tests.
#[cfg(test)]
pub(crate) mod count {
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn one() {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
    }

    /// How many `f` made.
    pub(crate) fn of(f: impl FnOnce()) -> usize {
        let before = COUNT.get();
        f();
        COUNT.get() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_cut_in_order_and_aligned_and_never_beyond_its_end() {
        let mut memory = [0u64; 16];
        let start = memory.as_mut_ptr().cast::<u8>();
        let odd = NonNull::new(start.wrapping_add(1)).unwrap();
        // SAFETY: inside `memory`, and what is made is dropped inside.
        unsafe {
            within(odd, 100, || {
                let mut a: Vec<u64> = Vec::new();
                a.try_reserve_exact(5).unwrap();
                assert_eq!(a.as_ptr().cast::<u8>(), start.wrapping_add(8).cast_const());
                let mut b: Vec<u8> = Vec::new();
                assert!(b.try_reserve_exact(54).is_err());
                b.try_reserve_exact(53).unwrap();
                assert!(Vec::<u8>::new().try_reserve_exact(1).is_err());
            });
        }
    }

    #[test]
    fn a_panic_takes_nothing_from_the_callers_memory() {
        let mut memory = [0u8; 64];
        let start = NonNull::new(memory.as_mut_ptr()).unwrap();
        let caught = std::panic::catch_unwind(|| {
            // SAFETY: nothing is made.
            unsafe { within(start, 64, || panic!("{}", "on purpose")) }
        });
        assert_eq!(caught.unwrap_err().downcast_ref::<String>().unwrap(), "on purpose");
        assert_eq!(memory, [0; 64]);
    }
}
