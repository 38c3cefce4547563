//! Which fields of an object were taken, and what they are called. Most objects are small, and a document has tens of thousands
//! of them: for those no memory is allocated.

/// The places of fields that were taken.
#[derive(Debug)]
pub(super) enum Taken {
    /// Of up to 64 fields.
    Few(u64),
    Many(Vec<bool>),
}

impl Taken {
    /// None of so many fields.
    pub(super) fn of(fields: usize) -> Self {
        if fields <= 64 { Self::Few(0) } else { Self::Many(vec![false; fields]) }
    }

    pub(super) fn take(&mut self, place: usize) {
        match self {
            Self::Few(bits) => *bits |= bit(place),
            Self::Many(flags) => {
                if let Some(flag) = flags.get_mut(place) {
                    *flag = true;
                }
            }
        }
    }

    pub(super) fn has(&self, place: usize) -> bool {
        match self {
            Self::Few(bits) => bits & bit(place) != 0,
            Self::Many(flags) => flags.get(place).copied().unwrap_or(false),
        }
    }
}

fn bit(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1u64.checked_shl(place)).unwrap_or(0)
}

/// The names of fields that an object may have.
#[derive(Debug, Default)]
pub(super) struct Names {
    few: [&'static str; 16],
    count: usize,
    more: Vec<&'static str>,
}

impl Names {
    pub(super) fn push(&mut self, name: &'static str) {
        match self.few.get_mut(self.count) {
            Some(place) => {
                *place = name;
                self.count += 1;
            }
            None => self.more.push(name),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.few.iter().take(self.count).chain(&self.more).copied()
    }
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
            let mut taken = Taken::of(count);
            (0..count).filter(|place| place % 3 == 0).for_each(|place| taken.take(place));
            let found: Vec<usize> = (0..count + 3).filter(|place| taken.has(*place)).collect();
            rows.check(format!("of {count}"), found, (0..count).step_by(3).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_names_are_kept_in_their_order() {
        let mut names = Names::default();
        let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"];
        all.iter().for_each(|name| names.push(name));
        assert_eq!(names.iter().collect::<Vec<_>>(), all);
    }
}
