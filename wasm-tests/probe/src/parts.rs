//! What is tried, part by part. A part is given the phase and logs what it sees there.

mod buffers;
mod callouts;
mod control;
mod expressions;
mod foreign;
mod maps;
mod memory;
mod metrics;
mod properties;
mod reply;
mod shared;

use crate::{kept, plan};

pub(crate) use callouts::call_out;

/// Runs the plan's part.
pub(crate) fn run(phase: &str) {
    let here = plan::word("at") == phase;
    match plan::word("part").as_str() {
        "maps" => maps::read(),
        "maps-write" => maps::write(phase),
        "buffers" => buffers::read(),
        "buffers-write" if here => buffers::write(),
        "properties" => properties::read(),
        "state" => properties::write(phase),
        "shared" => shared::data(),
        "queues" => shared::queues(phase),
        "metrics" => metrics::run(),
        "foreign" => foreign::run(),
        "expressions" => expressions::run(phase),
        "control" => control::run(),
        "stream" if here => control::stream(),
        "reply" if here => reply::run(),
        "memory" => memory::run(),
        "callouts" => callouts::run(phase),
        "malloc" if here => {
            kept::arm_allocation();
            crate::report::plain("get_property(plugin_name)", crate::host::get_property(b"plugin_name").0);
        }
        "once" if here && kept::is_chosen(crate::report::scene().context) => crate::start::once(&plan::word("case")),
        _ => {}
    }
}
