//! What the module keeps between callbacks for the parts to use.

use std::cell::Cell;

thread_local! {
    static ROOT: Cell<u32> = const { Cell::new(0) };
    static IN_ALLOCATION: Cell<bool> = const { Cell::new(false) };
}

/// Makes the next allocation on behalf of the host run the plan's case.
pub(crate) fn arm_allocation() {
    IN_ALLOCATION.set(true);
}

/// Whether this allocation is to run the plan's case; the next is not.
pub(crate) fn take_allocation() -> bool {
    IN_ALLOCATION.replace(false)
}

/// The root context's id.
pub(crate) fn root() -> u32 {
    ROOT.get()
}

/// Keeps the root context's id.
pub(crate) fn set_root(context: u32) {
    ROOT.set(context);
}
