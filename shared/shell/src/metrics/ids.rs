//! Envoy's ids of stats. To Envoy each definition is a new one, also of a name that the VM has defined before, and it keeps
//! all of them as long as the VM lives; so a VM asks for each name once, however many configurations come and go.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hasher};
use weir_model::SortedMap;

/// How many ids a VM remembers, of 16 bytes each. Names beyond that are defined by each configuration that has them.
const MOST: usize = 32_768;

thread_local! {
    static IDS: RefCell<Ids> = const { RefCell::new(Ids(SortedMap::new())) };
}

/// Ids by the hash of kind and name. Two of a hundred thousand names have one hash of 64 bits once in four billion VMs.
#[derive(Debug)]
struct Ids(SortedMap<u64, u32>);

impl Ids {
    fn get(&self, key: u64) -> Option<u32> {
        self.0.get(&key).copied()
    }

    fn remember(&mut self, key: u64, id: u32) {
        if self.0.len() < MOST {
            self.0.insert(key, id);
        }
    }
}

fn key(kind: u32, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(kind);
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The id of a stat; `define` asks Envoy for it.
pub(super) fn id(kind: u32, name: &str, define: impl FnOnce() -> Option<u32>) -> Option<u32> {
    let key = key(kind, name);
    let known = IDS.with(|ids| ids.try_borrow().ok()?.get(key));
    known.or_else(|| {
        let id = define()?;
        IDS.with(|ids| {
            if let Ok(mut ids) = ids.try_borrow_mut() {
                ids.remember(key, id);
            }
        });
        Some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_defined_once_for_each_kind() {
        let mut defined = Vec::new();
        let mut ask = |kind, name: &'static str| {
            id(kind, name, || {
                defined.push((kind, name));
                u32::try_from(defined.len()).ok()
            })
        };
        let ids = [(0, "a"), (0, "b"), (2, "a"), (0, "a"), (2, "a"), (0, "b")].map(|(kind, name)| ask(kind, name));
        assert_eq!(ids, [1, 2, 3, 1, 3, 2].map(Some));
        assert_eq!(defined, [(0, "a"), (0, "b"), (2, "a")]);
        assert_eq!(id(1, "refused", || None), None);
        assert_eq!(id(1, "refused", || Some(4)), Some(4), "Envoy may take it the next time");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut ids = Ids(SortedMap::new());
        for key in 0..40_000 {
            ids.remember(key, 1);
        }
        assert_eq!((ids.0.len(), ids.get(32_767), ids.get(32_768)), (MOST, Some(1), None));
    }
}
