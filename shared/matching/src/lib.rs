//! Host, path, CIDR and identity patterns, and the index over many rules.
