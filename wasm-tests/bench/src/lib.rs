//! Side-by-side costs: instructions, CPU time and memory.
