//! Where a node stands, as far as it matters for keys that are given twice.

pub(super) const KIND: &str = "kind";

/// The keys that tell what an object or a document is.
const DECISIVE: [&str; 4] = [KIND, "apiVersion", "items", "schema"];

/// Where a node stands in its document.
#[derive(Clone, Copy)]
pub(super) struct Place {
    depth: usize,
    /// At the root, or in a list of objects.
    is_objects: bool,
}

impl Place {
    pub(super) const ROOT: Self = Self { depth: 0, is_objects: true };

    /// That of an item, or of the value of a key.
    pub(super) fn inside(self, key: Option<&str>) -> Self {
        Self { depth: self.depth + 1, is_objects: self.is_objects && key.is_none_or(|key| key == "items") }
    }

    /// How many lists and mappings are around it.
    pub(super) fn depth(self) -> usize {
        self.depth
    }

    /// Whether this key of a mapping there tells what the object is.
    pub(super) fn decides(self, key: &str) -> bool {
        self.is_objects && DECISIVE.contains(&key)
    }
}
