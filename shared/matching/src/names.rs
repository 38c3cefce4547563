//! Numbers for byte strings, such as the header names that rules look at.

use crate::table::{Hash, Table, small};

/// Byte strings, each with a number: from 0, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Names {
    table: Table,
    count: u32,
    /// Which lengths there are: for most names of a request that alone decides.
    lengths: Vec<bool>,
}

/// Of names of this length and longer only the bytes decide.
const LENGTHS: usize = 64;

impl Names {
    /// How many there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of `name`, the same whenever it comes.
    pub fn intern(&mut self, name: &[u8]) -> u32 {
        let number = self.table.intern(0, Hash::of(name), name, self.count);
        if number == self.count {
            self.count = small(self.len() + 1);
            self.lengths.resize(LENGTHS, false);
            if let Some(known) = self.lengths.get_mut(name.len()) {
                *known = true;
            }
        }
        number
    }

    /// The number of `name`, if it has one.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<u32> {
        if self.is_empty() || self.lengths.get(name.len()).is_some_and(|known| !known) {
            return None;
        }
        self.table.get(0, Hash::of(name), name)
    }
}

/// Values by name.
#[derive(Clone, Debug)]
pub struct NameMap<V> {
    names: Names,
    values: Vec<V>,
}

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self { names: Names::default(), values: Vec::new() }
    }
}

impl<V> NameMap<V> {
    /// All values, in the order in which their names came.
    pub fn values(&self) -> &[V] {
        &self.values
    }

    /// The value of `name`.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&V> {
        self.values.get(usize::try_from(self.names.get(name)?).ok()?)
    }

    /// The value of `name`, made by `new` if there is none.
    pub fn entry(&mut self, name: &[u8], new: impl FnOnce() -> V) -> Option<&mut V> {
        let at = usize::try_from(self.names.intern(name)).ok()?;
        if at == self.values.len() {
            self.values.push(new());
        }
        self.values.get_mut(at)
    }

    /// Gives `name` a value. Returns the value that it had.
    pub fn insert(&mut self, name: &[u8], value: V) -> Option<V> {
        let at = usize::try_from(self.names.intern(name)).ok()?;
        match self.values.get_mut(at) {
            Some(known) => Some(std::mem::replace(known, value)),
            None => {
                self.values.push(value);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn each_name_has_one_number() {
        let mut names = Names::default();
        assert_eq!((names.get(b""), names.is_empty()), (None, true));
        let long = "x".repeat(100);
        assert_eq!([b"a".as_slice(), b"b", b"a", long.as_bytes(), b""].map(|name| names.intern(name)), [0, 1, 0, 2, 3]);
        assert_eq!(
            [b"b".as_slice(), long.as_bytes(), b"", b"c"].map(|name| names.get(name)),
            [Some(1), Some(2), Some(3), None]
        );
        assert_eq!((names.get(&[b'y'; 100]), names.get(b"ab"), names.len()), (None, None, 4));
    }

    #[test]
    fn each_name_has_one_value() {
        let mut map = NameMap::default();
        for (name, value) in [(b"a", 1), (b"b", 2), (b"a", 3)] {
            *map.entry(name, || 0).unwrap() += value;
        }
        assert_eq!([b"a", b"b", b"c"].map(|name| map.get(name).copied()), [Some(4), Some(2), None]);
        assert_eq!((map.insert(b"c", 5), map.insert(b"c", 6), map.get(b"c")), (None, Some(5), Some(&6)));
        assert_eq!(map.values(), [4, 2, 6]);
    }
}
