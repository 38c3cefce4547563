//! The cost of a decision does not depend on the number of rules, nor on what a client repeats: no allocation, and few rules
//! looked at. Nor does loading need many times the memory of the document.

#![expect(clippy::panic, reason = "a test fails by panicking")]

#[path = "../examples/generate.rs"]
#[expect(dead_code, reason = "the example's own entry point")]
mod generate;

#[path = "../examples/measure/request.rs"]
mod request;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};
use weir_model::{Attributes, Facts, Filter, Headers, Node, PairsBuilder};
use weir_policy::{Decision, Policy};
use weir_testing::{Rows, Shape};

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes in use, and the most there were.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        let _ = IN_USE.try_with(|bytes| {
            bytes.set(bytes.get() + layout.size());
            MOST.with(|most| most.set(most.get().max(bytes.get())));
        });
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // What another thread allocated may be given back here.
        let _ = IN_USE.try_with(|bytes| bytes.set(bytes.get().saturating_sub(layout.size())));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn headers(path: &str) -> Vec<u8> {
    let mut pairs = PairsBuilder::default();
    for (name, value) in [(":method", "GET"), (":path", path), (":authority", "none.invalid"), ("x-tenant", "absent")] {
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
    let mut rows = Rows::default();
    for (path, rule) in cases {
        let bytes = headers(path);
        // The first decision may make room.
        rows.check(path, decide(&mut policy, &bytes, &attributes).rule.map(|rule| rule.index), rule);
        let before = ALLOCATIONS.get();
        let again = decide(&mut policy, &bytes, &attributes).allow;
        rows.check(path, ALLOCATIONS.get(), before);
        rows.check(path, again, rule.is_some());
    }
    // The count above can move at all.
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1u8)));
    assert_eq!(ALLOCATIONS.get(), before + 1);
}

#[test]
fn ten_thousand_rules_need_little_memory() {
    let document = generate::document(10_000).to_string();
    let before = IN_USE.get();
    MOST.set(before);
    let policy = Policy::compile(document.as_bytes(), &Node::default()).unwrap_or_else(|error| panic!("{error}"));
    let (most, kept) = (MOST.get() - before, IN_USE.get() - before);
    assert_eq!(policy.rules().0, 10_000);
    // Where pointers have 64 bits, as here; in a VM they have 32.
    assert!(most < 10 << 20, "{most} bytes while loading");
    assert!(kept < 4 << 20, "{kept} bytes in use");
}

/// The time of one decision: the least of several, so that other work does not count.
#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn time(shape: Shape, rules: usize) -> Duration {
    let document = request::document(shape, rules).to_string();
    let mut policy = Policy::compile(document.as_bytes(), &Node::default()).unwrap_or_else(|error| panic!("{error}"));
    let (bytes, attributes) = request::request(shape, rules);
    let once = |policy: &mut Policy| {
        let start = Instant::now();
        assert_eq!(decide(policy, &bytes, &attributes).allow, shape.matches(), "{shape:?}");
        start.elapsed()
    };
    (0..40).map(|_| once(&mut policy)).min().unwrap_or_default()
}

/// How many times dearer a shape is than another, and how many times it may be.
type Bound = (&'static str, Shape, usize, Shape, usize, u32);

#[test]
fn hostile_rules_and_requests_cost_little_more_than_usual_ones() {
    let usual = Shape::ExactPaths;
    let bounds: [Bound; 15] = [
        ("more exact paths", usual, 10_000, usual, 10, 3),
        ("negations", Shape::Negations, 10_000, usual, 10, 30),
        ("negations only", Shape::NegationsOnly, 10_000, usual, 10, 30),
        ("template tails", Shape::TemplateTails, 10_000, usual, 10, 5),
        ("address ranges", Shape::AddressRanges, 10_000, usual, 10, 5),
        ("namespace patterns", Shape::NamespacePatterns, 10_000, usual, 10, 3),
        ("header names", Shape::HeaderNames, 10_000, usual, 10, 3),
        // Reading 90 headers more is a part of it.
        ("copies of a header", Shape::CopiesOfHeader(90), 10_000, Shape::CopiesOfHeader(1), 10_000, 4),
        ("values of a header", Shape::ValuesOfHeader(90), 10_000, Shape::ValuesOfHeader(1), 10_000, 8),
        // Reading them is most of it: what is looked at is 90 times as long.
        ("values of a claim", Shape::ClaimValues(90), 10_000, Shape::ClaimValues(1), 10_000, 50),
        ("negations of a claim", Shape::ClaimNegations(90), 10_000, Shape::ClaimNegations(1), 10_000, 25),
        ("names of claims", Shape::ClaimNames(90), 10_000, Shape::ClaimNames(1), 10, 60),
        ("request principals", Shape::RequestPrincipals, 10_000, Shape::RequestPrincipals, 10, 5),
        // A thousand patterns of the path match and lead to a thousand rules.
        ("nested prefixes", Shape::NestedPrefixes(1001), 1000, usual, 10, 500),
        ("nested suffixes", Shape::NestedSuffixes(1001), 1000, usual, 10, 500),
    ];
    let mut failures = Vec::new();
    for (name, shape, rules, than, of, most) in bounds {
        let (found, than) = (time(shape, rules), time(than, of));
        println!("{name}: {found:?}, {:.1} times {than:?}", found.as_secs_f64() / than.as_secs_f64());
        if found > than * most {
            failures.push(format!("{name}: {found:?} is more than {most} times {than:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
