//! Sorting while a configuration is compiled: the standard library's sorts are five kilobytes of code for each type.
//!
//! One heapsort for all types, called through a trait object: some three times slower, which for ten thousand rules is a
//! few milliseconds. It is not stable, so keys that compare equal must be alike.

use std::cmp::Ordering;

trait Elements {
    /// Whether element `a` comes before element `b`.
    fn less(&mut self, a: usize, b: usize) -> bool;
    fn swap(&mut self, a: usize, b: usize);
}

struct Slice<'s, T, C>(&'s mut [T], C);

impl<T, C: FnMut(&T, &T) -> Ordering> Elements for Slice<'_, T, C> {
    fn less(&mut self, a: usize, b: usize) -> bool {
        match (self.0.get(a), self.0.get(b)) {
            (Some(a), Some(b)) => (self.1)(a, b).is_lt(),
            _ => false,
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a.max(b) < self.0.len() {
            self.0.swap(a, b);
        }
    }
}

/// Sorts in ascending order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts by `compare`.
pub fn sort_by<T>(items: &mut [T], compare: impl FnMut(&T, &T) -> Ordering) {
    let length = items.len();
    heapsort(&mut Slice(items, compare), length);
}

fn heapsort(elements: &mut dyn Elements, length: usize) {
    // Much comes in its order, and a heapsort gains nothing by that.
    if (1..length).all(|next| !elements.less(next, next - 1)) {
        return;
    }
    for root in (0..length / 2).rev() {
        sift_down(elements, root, length);
    }
    for end in (1..length).rev() {
        elements.swap(0, end);
        sift_down(elements, 0, end);
    }
}

/// Moves the element at `root` down the heap until no child of it is greater.
fn sift_down(elements: &mut dyn Elements, mut root: usize, end: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && elements.less(child, child + 1) {
            child += 1;
        }
        if !elements.less(root, child) {
            return;
        }
        elements.swap(root, child);
        root = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn sorts_as_the_standard_library_does() {
        let mut seed = 1u32;
        for length in 0..300u32 {
            let mut items = Vec::new();
            for _ in 0..length {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                items.push((seed >> 16) % (length + 1));
            }
            let mut expected = items.clone();
            expected.sort_unstable();
            let mut reversed = items.clone();
            sort(&mut items);
            assert_eq!(items, expected);
            sort_by(&mut reversed, |a, b| b.cmp(a));
            expected.reverse();
            assert_eq!(reversed, expected);
        }
    }
}
