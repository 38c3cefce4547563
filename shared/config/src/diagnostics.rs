//! What is wrong with a document, collected while it is read.

use crate::cursor::place::Places;
use std::cell::{Cell, RefCell};
use weir_model::{Problem, Warning};

/// Collects problems and warnings while a document is read.
#[derive(Debug, Default)]
pub struct Diagnostics {
    problems: RefCell<Vec<Problem>>,
    /// How many problems there were, those that are not kept or were set aside included.
    met: Cell<usize>,
    /// How many of them were set aside.
    aside: Cell<usize>,
    sets_aside: Cell<bool>,
    warnings: RefCell<Vec<Warning>>,
    /// See [`crate::Cursor::document_hash`].
    pub(crate) hash: u64,
    places: RefCell<Places>,
}

impl Diagnostics {
    /// The most problems kept, and the most warnings; a document with more is wrong enough.
    pub const KEPT: usize = 1000;

    /// The id of the warning that a problem becomes which is set aside.
    pub const QUARANTINED: &str = "quarantined";

    /// For a document of these bytes.
    pub(crate) fn of(document: &[u8]) -> Self {
        let word = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        let (words, rest) = document.as_chunks();
        let hash = words.iter().fold(0xcbf2_9ce4_8422_2325, |hash, bytes| word(hash, u64::from_le_bytes(*bytes)));
        let hash = rest.iter().fold(hash, |hash, byte| word(hash, (*byte).into()));
        Self { hash, ..Self::default() }
    }

    /// Counts a problem, which is made only if it is kept.
    pub(crate) fn push(&self, problem: impl FnOnce() -> Problem) {
        self.met.set(self.met.get().saturating_add(1));
        if self.sets_aside.get() {
            self.aside.set(self.aside.get().saturating_add(1));
            return self.warn(|| {
                let Problem { path, message } = problem();
                Warning { id: Self::QUARANTINED, path, message }
            });
        }
        // Nothing is read while another holds them.
        if let Ok(mut problems) = self.problems.try_borrow_mut()
            && problems.len() < Self::KEPT
        {
            problems.push(problem());
        }
    }

    pub(crate) fn warn(&self, warning: impl FnOnce() -> Warning) {
        if let Ok(mut warnings) = self.warnings.try_borrow_mut()
            && warnings.len() < Self::KEPT
        {
            warnings.push(warning());
        }
    }

    /// Calls `then` with what is known of places.
    pub(crate) fn places<T>(&self, then: impl FnOnce(&mut Places) -> T) -> T {
        match self.places.try_borrow_mut() {
            Ok(mut places) => then(&mut places),
            Err(_) => then(&mut Places::default()),
        }
    }

    pub(crate) fn take_warnings(&self) -> Vec<Warning> {
        self.warnings.try_borrow_mut().map(|mut warnings| std::mem::take(&mut *warnings)).unwrap_or_default()
    }

    pub(crate) fn set_aside(&self, set_aside: bool) {
        self.sets_aside.set(set_aside);
    }

    /// How many problems there are so far, those that are not kept or were set aside included.
    pub fn len(&self) -> usize {
        self.met.get()
    }

    /// How many of them refuse the document.
    pub(crate) fn refusals(&self) -> usize {
        self.met.get().saturating_sub(self.aside.get())
    }

    /// Whether there is none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}
