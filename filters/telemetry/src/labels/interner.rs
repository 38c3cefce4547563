//! Bounded numbering of values, so that a stream's labels fit a few integers.

use std::borrow::Borrow;
use weir_model::SortedMap;

/// The number of the value that stands for a value that is not given.
pub(crate) const UNKNOWN: u32 = 0;
/// The number of the value that stands for everything that found no room.
pub(crate) const OTHER_ID: u32 = 1;

/// Numbers distinct values from 0. The first two are given; the rest are numbered as they come while there is room.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    ids: SortedMap<T, u32>,
    values: Vec<T>,
    unknown: T,
    room: usize,
}

impl<T: Ord + Clone> Interner<T> {
    /// Room for `room` values besides the two given ones.
    #[inline(never)]
    pub(crate) fn new(room: usize, unknown: T, other: T) -> Self {
        let mut ids = SortedMap::new();
        ids.extend([(unknown.clone(), UNKNOWN), (other.clone(), OTHER_ID)]);
        Self { ids, values: vec![unknown.clone(), other], unknown, room }
    }

    /// The number of `value`. A new value that a client can make up (`client`) may use only the first half of the room;
    /// without room it is [`OTHER_ID`].
    pub(crate) fn id<Q>(&mut self, value: &Q, client: bool) -> u32
    where
        T: Borrow<Q>,
        Q: Ord + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        let room = if client { self.room / 2 } else { self.room };
        let Ok(id) = u32::try_from(self.values.len()) else { return OTHER_ID };
        if self.values.len() >= room.saturating_add(2) {
            return OTHER_ID;
        }
        let owned = value.to_owned();
        self.values.push(owned.clone());
        self.ids.insert(owned, id);
        id
    }

    /// The value of a number that [`Interner::id`] returned.
    pub(crate) fn value(&self, id: u32) -> &T {
        usize::try_from(id).ok().and_then(|at| self.values.get(at)).unwrap_or(&self.unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn clients_use_half_of_the_room_and_all_others_the_whole() {
        let mut names: Interner<Vec<u8>> = Interner::new(4, b"unknown".to_vec(), b"other".to_vec());
        let client: Vec<u32> = [b"a", b"b", b"c", b"a"].iter().map(|name| names.id(name.as_slice(), true)).collect();
        assert_eq!(client, [2, 3, OTHER_ID, 2]);
        let trusted: Vec<u32> = [b"c", b"d", b"e"].iter().map(|name| names.id(name.as_slice(), false)).collect();
        assert_eq!(trusted, [4, 5, OTHER_ID]);
        assert_eq!(names.id(b"unknown".as_slice(), true), UNKNOWN);
        assert_eq!(
            (names.value(3), names.value(OTHER_ID), names.value(99)),
            (&b"b".to_vec(), &b"other".to_vec(), &b"unknown".to_vec())
        );
    }
}
