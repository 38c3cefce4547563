//! Istio's forms in every context, with the module from an image and from a file.

use weir_test_envoy::module;
use weir_test_istio::{IstioLine, apply};
use weir_testing::Rows;

use crate::contexts::{CONTEXTS, Context, Decides, Outcome, image, line, request, start, status};

/// The lines of Istio that have a form.
fn lines(form: &str) -> Vec<IstioLine> {
    let has = |line: &IstioLine| form != "trafficextension" || line.has_traffic_extension();
    IstioLine::ALL.into_iter().filter(has).collect()
}

/// Renders one form for a context, applies it on every line, and sends requests to an Envoy that runs it.
fn check(rows: &mut Rows, form: &str, context: &Context, code: &[&str]) -> Outcome {
    let title = format!("{form} {} {}", context.name, code[0]);
    let rendered = context.render(form, code)?;
    let proxy = (context.proxy)()?;
    for line in lines(form) {
        let report = apply(&rendered.trees, &proxy, line)?.report;
        rows.check(format!("{title}, Istio {line}: {report}"), report.is_clean(), true);
    }
    let running = start(proxy, &rendered.trees)?;
    for (client, decides) in context.clients {
        let user = Some(client.listener);
        let by_policy = if *decides == Decides::Everything { 403 } else { 200 };
        let by_address = if context.knows_peer { by_policy } else { 200 };
        let by_limit = if *decides == Decides::Nothing { 200 } else { 429 };
        for (what, method, path, user, expected) in [
            ("allowed", "GET", "/cart", None, 200),
            ("a path that no policy allows", "GET", "/admin", None, by_policy),
            ("a method that no policy allows", "DELETE", "/cart", None, by_policy),
            ("refused by the peer's address", "GET", "/cart/direct", None, by_address),
            ("within the limit", "GET", "/cart", user, 200),
            ("over the limit", "GET", "/cart", user, by_limit),
        ] {
            let found = status(&running, client, &request(method, path, user))?;
            rows.check(format!("{title}, {}: {what}", client.listener), found, expected);
        }
    }
    // Envoy has one VM for the code, one on the main thread and one for its worker, also where both directions run it.
    let vms = running.stats()?.get("wasm.envoy.wasm.runtime.v8.active").copied();
    rows.check(format!("{title}: VMs"), vms, Some(3));
    Ok(())
}

fn everywhere(form: &str) -> Outcome {
    let mut rows = Rows::default();
    if !lines(form).contains(&line()) {
        return Ok(());
    }
    let file = module("suite")?;
    let file = file.to_str().unwrap();
    for context in &CONTEXTS {
        check(&mut rows, form, context, &["--image", &image()])?;
        check(&mut rows, form, context, &["--module-file", file])?;
    }
    Ok(())
}

#[test]
fn envoyfilters_decide() -> Outcome {
    everywhere("envoyfilter")
}

#[test]
fn wasmplugins_decide() -> Outcome {
    everywhere("wasmplugin")
}

#[test]
fn trafficextensions_decide() -> Outcome {
    everywhere("trafficextension")
}

/// A form that a line does not have is refused with the lines that have it.
#[test]
fn lines_without_a_form_are_told() -> Outcome {
    let mut rows = Rows::default();
    for line in IstioLine::ALL {
        let name = line.to_string();
        let image = image();
        let rendered = CONTEXTS[0].render("trafficextension", &["--image", &image, "--istio", &name]);
        rows.check(&name, rendered.is_ok(), line.has_traffic_extension());
        if let Err(error) = rendered {
            rows.contains(&name, &error.to_string(), "it is in 1.30, 1.31");
        }
    }
    Ok(())
}
