//! Windows while the wall clock moves.

use super::{PER_USER, SECOND, ask, filter};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{MemoryCells, Now, Reply, Verdict};
use weir_testing::Rows;

#[test]
fn a_wall_clock_that_moves_neither_forgives_nor_locks_out() {
    let mut cells = MemoryCells::default();
    // Seconds since the start, by how much the wall clock is off, and whether one of two a minute passes.
    let rows = [
        (0, 0, true),
        (1, 3_600, true),
        (2, -3_600, false),
        (3, 86_400, false),
        (59, -86_400, false),
        (60, 86_400, true),
        (61, 0, true),
        (62, 3_600, false),
        (120, 0, true),
    ];
    let mut filter = filter(PER_USER);
    let mut table = Rows::default();
    for (seconds, off, passes) in rows {
        if seconds % 2 == 1 {
            // Another worker, or another configuration.
            filter = super::filter(PER_USER);
        }
        let mono_nanos = seconds * SECOND;
        let wall_nanos = (1_767_261_600 * SECOND + mono_nanos).checked_add_signed(off * 1_000_000_000).unwrap();
        let seen = ask(&mut filter, &mut cells, "ann", Now { wall_nanos, mono_nanos });
        table.check(format!("second {seconds}"), seen.passed(), passes);
        if let Verdict::Reply(reply) = &seen.verdict {
            let left = (60 - seconds % 60).to_string();
            for name in ["retry-after", "x-ratelimit-reset"] {
                table.check(format!("second {seconds}: {name}"), value(reply, name), Some(left.as_str()));
            }
        }
    }
}

fn value<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let (_, value) = reply.headers.iter().find(|(known, _)| known == name.as_bytes())?;
    std::str::from_utf8(value).ok()
}
