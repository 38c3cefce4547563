//! Shared data with every use of compare-and-swap, and shared queues.

use crate::host;
use crate::report::{plain, scene, show, with};

pub(crate) fn data() {
    // A key of its own for each VM, context and phase, so that runs do not depend on what came before.
    let scene = scene();
    let key = format!("probe-{}-{}-{}", scene.vm, scene.context, scene.phase);
    let key = key.as_bytes();
    let get = |note: &str| {
        let (status, (value, cas)) = host::get_shared(key);
        with(
            &format!("get_shared_data({note})"),
            status,
            &format!("{} cas={}", show(&value), if cas == 0 { "0" } else { "<cas>" }),
        );
        cas
    };
    get("absent");
    plain("set_shared_data(absent, cas=12345)", host::set_shared(key, b"one", 12345));
    let first = get("first");
    plain("set_shared_data(right cas)", host::set_shared(key, b"two", first));
    let second = get("second");
    plain("set_shared_data(stale cas)", host::set_shared(key, b"three", first));
    get("after stale");
    plain("set_shared_data(cas=0)", host::set_shared(key, b"four", 0));
    let third = get("after unconditional");
    crate::report::line("cas grows", &format!("{} {}", second > first, third > second));
    plain("set_shared_data(cas=4294967295)", host::set_shared(key, b"five", u32::MAX));
    plain("set_shared_data(empty value)", host::set_shared(key, b"", 0));
    get("empty value");
    plain("set_shared_data(empty key)", host::set_shared(b"", b"nameless", 0));
    let (status, (value, _)) = host::get_shared(b"");
    with("get_shared_data(empty key)", status, &show(&value));
}

pub(crate) fn queues(phase: &str) {
    if phase == "create_root" {
        return;
    }
    let (status, id) = host::register_queue(b"probe-queue");
    with("register_shared_queue(probe-queue)", status, &id.to_string());
    let (status, again) = host::register_queue(b"probe-queue");
    with("register_shared_queue(probe-queue) again", status, if again == id { "same" } else { "other" });
    let own = host::get_property(b"plugin_vm_id").1;
    for (name, vm, queue) in [
        ("own, probe-queue", &own[..], &b"probe-queue"[..]),
        ("``, probe-queue", b"", b"probe-queue"),
        ("other, probe-queue", b"other", b"probe-queue"),
        ("own, absent", &own[..], b"absent"),
    ] {
        let (status, found) = host::resolve_queue(vm, queue);
        with(&format!("resolve_shared_queue({name})"), status, if found == id { "same" } else { "other" });
    }
    if phase == "queue_ready" {
        let (status, value) = host::dequeue(id);
        with("dequeue_shared_queue(own)", status, &show(&value));
        return;
    }
    // Two in, two out, and one more than there is. No item is left to another phase, except in the first tick, which
    // makes the host call `proxy_on_queue_ready`.
    for value in [&b"first"[..], b""] {
        plain(&format!("enqueue_shared_queue(own, {})", show(value)), host::enqueue(id, value));
    }
    for _ in 0..3 {
        let (status, value) = host::dequeue(id);
        with("dequeue_shared_queue(own)", status, &show(&value));
    }
    plain("enqueue_shared_queue(99999)", host::enqueue(99999, b"x"));
    let (status, value) = host::dequeue(99999);
    with("dequeue_shared_queue(99999)", status, &show(&value));
}
