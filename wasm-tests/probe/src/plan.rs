//! What a run tries, from the plugin configuration: words `key=value` separated by blanks.
//!
//! - `part=NAME`: what is tried in every phase, see [`crate::parts`].
//! - `at=PHASE`: for parts that act once, where.
//! - `when=HEADER`: for `part=once` and `callout`, only in streams whose request has that header, and in the root.
//! - `case=NAME`: which of the part's variants.
//! - `return=N`: what the callback of `at` returns.
//! - `callout=http|grpc`: call out in the request headers, hold the stream, go on when the answer has been probed.
//! - `header=NAME,HEX`: a header of the HTTP callout, by the bytes of its value.
//! - `target=CASE`: how the gRPC callout names its cluster.
//! - `resume=tick`: go on with the held stream in the first tick after it.

use crate::host;
use std::cell::RefCell;

thread_local! {
    static PLAN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Reads the plugin configuration.
pub(crate) fn read() {
    let (_, bytes) = host::get_buffer(7, 0, 4096);
    if !bytes.is_empty() {
        PLAN.set(String::from_utf8_lossy(&bytes).into_owned());
    }
}

/// The value of a key; empty when absent.
pub(crate) fn word(key: &str) -> String {
    PLAN.with_borrow(|plan| {
        let mut words = plan.split_whitespace().filter_map(|word| word.split_once('='));
        words.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).unwrap_or_default()
    })
}

/// A number; zero when absent.
pub(crate) fn count(key: &str) -> u32 {
    word(key).parse().unwrap_or(0)
}
