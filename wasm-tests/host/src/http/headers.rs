//! A header map as Envoy keeps one: lower-case names, order of insertion, repeated names side by side.

use crate::abi::pairs::Pairs;

/// Header fields in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap(Vec<(Vec<u8>, Vec<u8>)>);

impl HeaderMap {
    /// A map with these fields.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut map = HeaderMap::default();
        for (name, value) in fields {
            map.add(name.as_ref(), value.as_ref());
        }
        map
    }

    /// Every field in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all names and values, Envoy's `byteSize`.
    #[must_use]
    pub fn byte_size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values of a name, joined by commas; what CEL and native matchers see.
    #[must_use]
    pub fn joined(&self, name: &[u8]) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).collect();
        (!values.is_empty()).then(|| values.join(b",".as_slice()))
    }

    /// Adds a field after the others; pseudo-headers stay before all other fields.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let field = (name.to_ascii_lowercase(), value.to_vec());
        if name.starts_with(b":") {
            let position = self.0.iter().take_while(|(n, _)| n.starts_with(b":")).count();
            self.0.insert(position, field);
        } else {
            self.0.push(field);
        }
    }

    /// Sets a name to one value where its first stood; adds it when missing.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter().position(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some(position) => {
                let mut seen = 0;
                self.0.retain(|(n, _)| {
                    let same = n.eq_ignore_ascii_case(name);
                    seen += usize::from(same);
                    !same || seen == 1
                });
                if let Some((_, old)) = self.0.get_mut(position) {
                    value.clone_into(old);
                }
            }
            None => self.add(name, value),
        }
    }

    /// Sets a name to one value, behind the others: what a module's `replace` does.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every field of a name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// The fields as pairs.
    pub(crate) fn pairs(&self) -> Pairs {
        self.0.clone()
    }
}
