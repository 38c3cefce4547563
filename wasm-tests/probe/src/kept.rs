//! What the module keeps between callbacks for the parts to use.

use crate::{host, plan};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

thread_local! {
    static ROOT: Cell<u32> = const { Cell::new(0) };
    static IN_ALLOCATION: Cell<bool> = const { Cell::new(false) };
    /// The streams that the plan's `when` is true of.
    static CHOSEN: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// Makes the next allocation on behalf of the host run the plan's case.
pub(crate) fn arm_allocation() {
    IN_ALLOCATION.set(true);
}

/// Whether this allocation runs the plan's case; the next does not.
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

/// Keeps whether the plan's `when` is true of a stream whose request headers are there.
pub(crate) fn choose(context: u32) {
    let header = plan::word("when");
    if !header.is_empty() && host::get_header(0, header.as_bytes()).0 == 0 {
        CHOSEN.with_borrow_mut(|chosen| chosen.insert(context));
    }
}

/// Whether the plan means this context.
pub(crate) fn is_chosen(context: u32) -> bool {
    let is_named = || CHOSEN.with_borrow(|chosen| chosen.contains(&context));
    plan::word("when").is_empty() || context == root() || is_named()
}
