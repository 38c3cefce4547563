//! `weir`: the command line, built on the same cores as the filters, so it cannot disagree with them.
//!
//! Exit status 0: fine; 1: the answer is no; 2: wrong use.

mod bootstrap;
mod modules;
mod report;

fn main() {}
