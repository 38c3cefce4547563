//! Host, path, CIDR and identity patterns, and the index over many rules.
//!
//! Everything works on bytes: what a client sends need not be UTF-8. A [`Pattern`] answers one question about one value;
//! an [`Index`] holds the patterns of thousands of rules and names, for the values of a request, the few rules that can
//! match at all. The index never decides: whoever asks verifies each candidate in full.

mod cidr;
mod identity;
mod index;
mod path;
mod sort;
mod table;
mod template;
mod text;
mod trie;

pub use cidr::{Cidr, socket_address};
pub use identity::{SPIFFE_ID_BYTES, has_service_account, namespaces, service_accounts, trust_domain};
pub use index::{Alternative, Anchor, Candidates, Group, Index};
pub use path::{without_parameters, without_query};
pub use sort::{sort, sort_by};
pub use template::{Template, TemplateError};
pub use text::{Glob, Pattern};
