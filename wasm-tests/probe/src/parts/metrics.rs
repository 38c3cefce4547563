//! Metrics of every type: defining twice, every sign of increment, records, reads, ids that do not exist.

use crate::abi;
use crate::host;
use crate::report::{plain, scene, with};

pub(crate) fn run() {
    let scene = scene();
    for (kind, name) in [(0, "counter"), (1, "gauge"), (2, "histogram")] {
        let stat = format!("probe_{}_{}_{}_{name}", scene.vm, scene.context, scene.phase);
        let (status, id) = host::define_metric(kind, stat.as_bytes());
        with(&format!("define_metric({name})"), status, &format!("id%4={}", id % 4));
        let (status, again) = host::define_metric(kind, stat.as_bytes());
        with(
            &format!("define_metric({name}) again"),
            status,
            &format!("later by {}", i64::from(again) - i64::from(id)),
        );
        let get = |note: &str| {
            let (status, value) = host::get_metric(id);
            with(&format!("get_metric({name}) {note}"), status, &value.to_string());
        };
        get("new");
        for by in [5, 1, 0, -1, -2, i64::MAX, i64::MIN] {
            plain(&format!("increment_metric({name}, {by})"), abi::proxy_increment_metric(id, by));
            get("after increment");
        }
        for value in [7, 0, u64::MAX] {
            plain(&format!("record_metric({name}, {value})"), abi::proxy_record_metric(id, value));
            get("after record");
        }
        let (status, value) = host::get_metric(again);
        with(&format!("get_metric({name}) by its second id"), status, &value.to_string());
    }
    let (status, id) = host::define_metric(3, b"probe_bad_kind");
    with("define_metric(kind 3)", status, &id.to_string());
    let (status, _) = host::define_metric(u32::MAX, b"probe_bad_kind");
    plain("define_metric(kind 4294967295)", status);
    let (status, _) = host::define_metric(0, b"");
    plain("define_metric(counter, ``)", status);
    // The lowest two bits say the type, so each of these is an absent metric of another type.
    for id in [0x7fff_fff0, 0x7fff_fff1, 0x7fff_fff2, 0x7fff_fff3] {
        plain(&format!("increment_metric({id})"), abi::proxy_increment_metric(id, 1));
        plain(&format!("record_metric({id})"), abi::proxy_record_metric(id, 1));
        plain(&format!("get_metric({id})"), host::get_metric(id).0);
    }
}
