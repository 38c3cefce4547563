//! For tests: tables that name every failing row, other projects' case files, and the outcome of their rows.
//!
//! [`Rows`] is for the tables of unit tests. The case files are not part of the project. They are read where they are: in
//! the folder `WEIR_CASES`, or in `shared/cases` beside the workspace. A [`Score`] says of each row whether it passed,
//! failed or was skipped and why, and never how many there must be: other rows of the same form run, too. A [`Shape`] is
//! a policy and a request that are hard on an index.

mod folder;
mod rows;
mod score;
mod shape;

pub use folder::{find, folder, parse, read};
pub use rows::Rows;
pub use score::{Outcome, Score};
pub use shape::Shape;
