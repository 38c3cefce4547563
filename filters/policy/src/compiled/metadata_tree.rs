//! What rules ask of dynamic metadata, as a tree of names: filters, their keys, and the names inside of claims.
//!
//! Metadata is read once, and each name in it is looked up in the tree: that costs as much as the metadata is long, however
//! many names rules ask for.

use super::dimension::Dynamic;
use weir_matching::NameMap;

/// Where Envoy's JWT filter leaves the claims, as Istio configures it.
pub(crate) const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";
pub(crate) const JWT_PAYLOAD: &str = "payload";

/// The tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataTree {
    /// The filters.
    pub(crate) filters: MetadataNames,
    /// How many names there are, and at how many of them a value is asked for.
    names: u32,
    values: u32,
}

/// The names at one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataNames(NameMap<Named>);

/// What is asked at a name.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// The number of the name in the tree.
    pub(crate) number: u32,
    /// The number of the value there, if it is asked for.
    pub(crate) value: Option<u32>,
    /// What is asked inside of it.
    pub(crate) inner: Option<Box<MetadataNames>>,
}

/// Where a value is; `None` of what is not one value.
fn path(of: &Dynamic) -> Option<Vec<&str>> {
    let claim = || [JWT_FILTER, JWT_PAYLOAD].into_iter();
    match of {
        Dynamic::RequestPrincipal => None,
        Dynamic::Claim(names) => Some(claim().chain(names.iter().map(|name| &**name)).collect()),
        Dynamic::Value { filter, key } => Some(vec![filter, key]),
    }
}

impl MetadataTree {
    /// Adds a value; whether it was not there.
    #[inline(never)]
    pub(crate) fn insert(&mut self, of: &Dynamic) -> bool {
        let Some(path) = path(of) else { return false };
        let Self { filters, names: count, values } = self;
        let mut names = filters;
        let mut value = None;
        for (at, name) in path.iter().enumerate() {
            let Some(named) = names.named(name, count) else { return false };
            if at + 1 == path.len() {
                value = Some(&mut named.value);
                break;
            }
            names = named.inner.get_or_insert_default();
        }
        let Some(value @ None) = value else { return false };
        *value = Some(*values);
        *values = values.saturating_add(1);
        true
    }

    /// The number of a value, in the order in which they came.
    pub(crate) fn value(&self, of: &Dynamic) -> Option<u32> {
        let path = path(of)?;
        let (last, before) = path.split_last()?;
        let mut names = &self.filters;
        for name in before {
            names = names.get(name.as_bytes())?.inner.as_ref()?;
        }
        names.get(last.as_bytes())?.value
    }

    /// How many names there are.
    pub(crate) fn names(&self) -> usize {
        usize::try_from(self.names).unwrap_or(usize::MAX)
    }
}

impl MetadataNames {
    fn named(&mut self, name: &str, count: &mut u32) -> Option<&mut Named> {
        self.0.entry(name.as_bytes(), || {
            let number = *count;
            *count = count.saturating_add(1);
            Named { number, value: None, inner: None }
        })
    }

    /// What is asked at a name.
    #[inline]
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Named> {
        self.0.get(name)
    }

    /// The numbers of all values, those inside of others too.
    #[inline(never)]
    pub(crate) fn values(&self) -> Vec<u32> {
        let (mut found, mut waiting) = (Vec::new(), vec![self]);
        while let Some(names) = waiting.pop() {
            found.extend(names.0.values().iter().filter_map(|named| named.value));
            waiting.extend(names.0.values().iter().filter_map(|named| named.inner.as_deref()));
        }
        found
    }
}
