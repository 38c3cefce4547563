//! Merging posting lists in ascending order, lazily: most requests need the first candidate only.

/// The posting lists of one request. Kept between requests for its memory.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    cursors: Vec<(usize, usize)>,
}

impl Candidates {
    pub(crate) fn clear(&mut self) {
        self.cursors.clear();
    }

    pub(crate) fn push(&mut self, start: usize, end: usize) {
        if start < end {
            self.cursors.push((start, end));
        }
    }

    /// The lowest number of the lists that is at least `from`.
    pub(crate) fn next(&mut self, from: u32, pool: &[u32]) -> Option<u32> {
        let mut lowest: Option<u32> = None;
        self.cursors.retain_mut(|(at, end)| {
            let Some(list) = pool.get(*at..*end) else { return false };
            let skipped = match list {
                [first, ..] if *first >= from => 0,
                [_, second, ..] if *second >= from => 1,
                _ => list.partition_point(|rule| *rule < from),
            };
            *at += skipped;
            match list.get(skipped) {
                Some(rule) => {
                    lowest = Some(lowest.map_or(*rule, |known| known.min(*rule)));
                    true
                }
                None => false,
            }
        });
        lowest
    }
}
