//! What each test said about the current request.

/// What a test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    No,
    Yes,
    /// The field could not be read.
    Unknown,
}

/// What each test said about the current request. An entry counts only if it carries the current generation, so nothing
/// is cleared between requests.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    entries: Vec<u32>,
    generation: u32,
}

impl Memo {
    pub(super) fn start(&mut self, tests: usize) {
        self.generation = self.generation.wrapping_add(4);
        if self.generation == 0 || self.entries.len() != tests {
            self.entries.clear();
            self.entries.resize(tests, 0);
            self.generation = 4;
        }
    }

    pub(super) fn ask(&mut self, number: u32, test: impl FnOnce(usize) -> Outcome) -> Outcome {
        let Ok(place) = usize::try_from(number) else { return Outcome::Unknown };
        let Some(entry) = self.entries.get_mut(place) else { return Outcome::Unknown };
        if *entry & !3 == self.generation {
            return match *entry & 3 {
                0 => Outcome::No,
                1 => Outcome::Yes,
                _ => Outcome::Unknown,
            };
        }
        let outcome = test(place);
        *entry = self.generation
            | match outcome {
                Outcome::No => 0,
                Outcome::Yes => 1,
                Outcome::Unknown => 2,
            };
        outcome
    }
}
