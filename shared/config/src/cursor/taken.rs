//! Which fields of an object were taken, and what those are called that it may have. Most objects are small, and a document has
//! tens of thousands of them: for those no memory is allocated.

/// What is known of the fields of one object.
#[derive(Debug)]
pub(super) struct Taken {
    /// A bit for each of the first 64 places.
    places: u64,
    names: [&'static str; NAMES],
    count: u8,
    /// Of an object that has more fields, or may have.
    more: Option<Box<More>>,
}

/// How many names need no memory.
const NAMES: usize = 16;

#[derive(Debug, Default)]
struct More {
    places: Vec<usize>,
    names: Vec<&'static str>,
}

impl Taken {
    /// None.
    pub(super) fn new() -> Self {
        Self { places: 0, names: [""; NAMES], count: 0, more: None }
    }

    /// Notes that the field at a place was taken.
    pub(super) fn take(&mut self, place: usize) {
        match bit(place) {
            0 => self.more().places.push(place),
            bit => self.places |= bit,
        }
    }

    /// Whether the field at a place was taken.
    pub(super) fn has(&self, place: usize) -> bool {
        match bit(place) {
            0 => self.more.as_ref().is_some_and(|more| more.places.contains(&place)),
            bit => self.places & bit != 0,
        }
    }

    /// Notes that the object may have a field of that name.
    pub(super) fn name(&mut self, name: &'static str) {
        match self.names.get_mut(usize::from(self.count)) {
            Some(place) => {
                *place = name;
                self.count += 1;
            }
            None => self.more().names.push(name),
        }
    }

    /// The names of fields that the object may have.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let more = self.more.iter().flat_map(|more| &more.names);
        self.names.iter().take(self.count.into()).chain(more).copied()
    }

    #[inline(never)]
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

fn bit(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1u64.checked_shl(place)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    #[test]
    fn what_was_taken_of_few_fields_and_of_many() {
        let mut rows = Rows::default();
        for count in [1, 63, 64, 65, 200] {
            let mut taken = Taken::new();
            (0..count).filter(|place| place % 3 == 0).for_each(|place| taken.take(place));
            let found: Vec<usize> = (0..count + 3).filter(|place| taken.has(*place)).collect();
            rows.check(format!("of {count}"), found, (0..count).step_by(3).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_names_are_kept_in_their_order() {
        let mut taken = Taken::new();
        let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"];
        all.iter().for_each(|name| taken.name(name));
        assert_eq!(taken.names().collect::<Vec<_>>(), all);
    }
}
