//! For tests: other projects' case files, and what came of their rows.
//!
//! The files are not part of the project. They are read where they are: in the folder `WEIR_CASES`, or in `shared/cases`
//! beside the workspace. A [`Score`] says of each row whether it passed, failed or was skipped and why, and never how many
//! there must be: other rows of the same form run, too.

mod folder;
mod score;

pub use folder::{find, folder, parse, read};
pub use score::{Outcome, Score};
