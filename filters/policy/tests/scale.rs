//! The cost of a decision does not depend on the number of rules: no allocation, and few rules looked at.

#[path = "../examples/generate.rs"]
#[expect(dead_code, reason = "the example's own entry point")]
mod generate;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use weir_model::{Attributes, Facts, Filter, Headers, Node, PairsBuilder};
use weir_policy::{Decision, Policy};

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn headers(path: &str) -> Vec<u8> {
    let mut pairs = PairsBuilder::default();
    for (name, value) in [(":method", "GET"), (":path", path), (":authority", "none.invalid"), ("x-tenant", "nobody")] {
        pairs.push(name.as_bytes(), value.as_bytes());
    }
    pairs.finish()
}

fn decide<'p>(policy: &'p mut Policy, headers: &[u8], attributes: &Attributes) -> Decision<'p> {
    let none = Headers::default();
    let facts =
        Facts { request_headers: Headers::new(headers), response_headers: none, response_trailers: none, attributes };
    policy.decide(&facts).enforced
}

#[test]
fn ten_thousand_rules_are_decided_without_allocating() {
    let document = generate::document(10_000).to_string();
    let mut policy = Policy::compile(document.as_bytes(), &Node::default()).unwrap_or_else(|error| panic!("{error}"));
    let (rules, unanchored) = policy.rules();
    assert_eq!((rules, unanchored), (10_000, 99));
    let attributes = Attributes::default();
    let cases = [
        ("/first?q", Some(0)),
        ("/middle", Some(5000)),
        ("/last", Some(9999)),
        ("/tenants/any/orders-7077/a/b", Some(7077)),
        ("/files/35/7035/x", Some(7035)),
        ("/a/b/7075.json", None),
        ("/a/7064.json", Some(7064)),
        ("/nothing", None),
        ("/shared/x", None),
    ];
    for (path, rule) in cases {
        let bytes = headers(path);
        // The first decision may make room.
        assert_eq!(decide(&mut policy, &bytes, &attributes).rule.map(|rule| rule.index), rule, "{path}");
        let before = ALLOCATIONS.get();
        let again = decide(&mut policy, &bytes, &attributes).allow;
        assert_eq!(ALLOCATIONS.get(), before, "{path}");
        assert_eq!(again, rule.is_some(), "{path}");
    }
    // The count above can move at all.
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1u8)));
    assert_eq!(ALLOCATIONS.get(), before + 1);
}
