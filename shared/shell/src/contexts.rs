//! The contexts of one VM by the host's number of each. Numbers rise, so those of the streams in flight spread evenly.

/// How many lists there are; each holds a few contexts even with thousands of streams in flight.
const LISTS: usize = 256;

pub(crate) struct Contexts<T> {
    lists: [Vec<(u32, T)>; LISTS],
}

impl<T> Contexts<T> {
    pub(crate) const fn new() -> Self {
        Self { lists: [const { Vec::new() }; LISTS] }
    }

    fn list(&mut self, context: u32) -> Option<&mut Vec<(u32, T)>> {
        let [low, ..] = context.to_le_bytes();
        self.lists.get_mut(usize::from(low))
    }

    /// Keeps a context. Returns what had its number before, which the host has lost.
    pub(crate) fn insert(&mut self, context: u32, value: T) -> Option<T> {
        let before = self.remove(context);
        if let Some(list) = self.list(context) {
            list.push((context, value));
        }
        before
    }

    pub(crate) fn get(&mut self, context: u32) -> Option<&mut T> {
        self.list(context)?.iter_mut().find(|(id, _)| *id == context).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, context: u32) -> Option<T> {
        let list = self.list(context)?;
        let at = list.iter().position(|(id, _)| *id == context)?;
        Some(list.swap_remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::Contexts;
    use weir_testing::Rows;

    #[test]
    fn contexts_are_found_by_their_numbers() {
        let mut contexts = Contexts::new();
        // Numbers 1, 257 and 513 share a list.
        let mut rows = Rows::default();
        for context in [1, 2, 257, 513, u32::MAX] {
            rows.check(format!("{context:?}"), contexts.insert(context, context), None);
        }
        assert_eq!(contexts.get(257).copied(), Some(257));
        assert_eq!(contexts.remove(1), Some(1));
        for (context, found) in
            [(1, None), (2, Some(2)), (257, Some(257)), (513, Some(513)), (u32::MAX, Some(u32::MAX))]
        {
            assert_eq!(contexts.get(context).copied(), found, "{context}");
        }
        assert_eq!(contexts.remove(1), None);
        assert_eq!(contexts.insert(2, 9), Some(2));
        assert_eq!(contexts.get(2).copied(), Some(9));
    }
}
