//! What loading and deciding cost: `measure [SHAPE] [RULES]...`, by default all shapes with 10, 1,000 and 10,000 rules.
//!
//! A line for each shape and number of rules says how long loading took, how many bytes it needed at most and keeps, and
//! the time of one decision. For instructions instead of time, which are the same in each run, ask for one line:
//!
//! ```sh
//! CARGO_PROFILE_RELEASE_STRIP=false cargo build --release --example measure -p weir-policy
//! valgrind --tool=callgrind --toggle-collect='*one_decision*' target/release/examples/measure Negations 10000
//! ```
//!
//! What valgrind says it `Collected` is the instructions of that decision.

mod request;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use weir_model::{Attributes, Facts, Filter, Headers, Node};
use weir_policy::Policy;
use weir_testing::Shape;

/// Counts bytes in use and their most.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One decision; a function of its own so that a profiler can find it.
#[inline(never)]
fn one_decision(policy: &mut Policy, facts: &Facts<'_>) -> bool {
    policy.decide(facts).enforced.allow
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn measure(shape: Shape, count: usize) {
    let document = request::document(shape, count).to_string();
    let before = IN_USE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let start = now();
    let mut policy = match Policy::compile(document.as_bytes(), &Node::default()) {
        Ok(policy) => policy,
        Err(problems) => return println!("{shape:?} {count}: {problems}"),
    };
    let load = start.elapsed();
    let most = MOST.load(Ordering::Relaxed) - before;
    let kept = IN_USE.load(Ordering::Relaxed) - before;
    let (bytes, attributes): (Vec<u8>, Attributes) = request::request(shape, count);
    let none = Headers::default();
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: none,
        response_trailers: none,
        attributes: &attributes,
    };
    // The first decision makes room.
    black_box(policy.decide(&facts).enforced.allow);
    let start = now();
    let allow = one_decision(&mut policy, black_box(&facts));
    println!(
        "{:24} {count:6} rules: load {:7.1} ms, {:6} KiB at most, {:6} KiB kept; decision {:9.2} us, allow {allow}",
        format!("{shape:?}"),
        load.as_secs_f64() * 1e3,
        most / 1024,
        kept / 1024,
        start.elapsed().as_secs_f64() * 1e6,
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let counts: Vec<usize> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![10, 1000, 10_000] } else { counts };
    let names: Vec<&String> = arguments.iter().filter(|text| text.parse::<usize>().is_err()).collect();
    for shape in Shape::ALL {
        if names.is_empty() || names.contains(&&format!("{shape:?}")) {
            counts.iter().for_each(|count| measure(shape, *count));
        }
    }
}
