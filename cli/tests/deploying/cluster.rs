//! `scripts/test-istio` on a stand-in for a cluster: what it calls and in which order, what it says of each form and fault, and
//! that nothing is left behind on any way out. The stand-in is the `kubectl` beside this file.

use super::{install, workspace};
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use weir_testing::Rows;

const IMAGE: &str =
    "oci://registry.example.com/weir/suite@sha256:0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";

/// A folder with a kubeconfig, the stand-in and its cluster.
fn cluster() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), include_str!("kubectl"));
    fs::create_dir(folder.path().join("cluster")).unwrap();
    fs::write(folder.path().join("config"), "").unwrap();
    fs::write(folder.path().join("suite.wasm"), "\0asm").unwrap();
    folder
}

/// The script on a cluster with that fault. A KUBECONFIG of the environment must not reach `kubectl`.
fn script(folder: &Path, fault: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace().join("scripts/test-istio"));
    command.current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("PATH", format!("{}:{}", folder.join(".bin").display(), std::env::var("PATH").unwrap()));
    command.env("CLUSTER", folder.join("cluster")).env("FAULT", fault).env("KUBECONFIG", "/production");
    command.env("WEIR", env!("CARGO_BIN_EXE_weir")).env("MODULE", folder.join("suite.wasm"));
    command.env("TIMEOUT", "1").env("PAUSE", "0.1");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn calls(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("cluster/calls")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// What is in the cluster: namespaces and objects.
fn left(folder: &Path) -> Vec<String> {
    let names = |kind| fs::read_dir(folder.join("cluster").join(kind)).into_iter().flatten();
    let files = names("namespaces").chain(names("applied"));
    files.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_form_of_the_cluster_is_tried_in_every_context() {
    let mut rows = Rows::default();
    let sidecar =
        ["`envoyfilter` | sidecar", "`wasmplugin` | sidecar", "`trafficextension` | sidecar"].map(str::to_owned);
    let of = |context: &str| sidecar.clone().map(|row| row.replace("sidecar", context));
    let most = [sidecar.clone(), of("gateway")].concat();
    for (fault, image, passed, other) in [
        ("", &[] as &[&str], most.clone(), "| all | waypoint | not tried: no GatewayClass istio-waypoint |"),
        ("ambient", &[IMAGE], [most.clone(), of("waypoint").to_vec()].concat(), ""),
        ("ambient,one-form,no-exec", &[], vec![most[1].clone(), most[4].clone()], "give IMAGE |"),
    ] {
        let folder = cluster();
        let output = script(folder.path(), fault, &[&["config"], image].concat()).output().unwrap();
        rows.check(format!("{fault}: {}", text(&output)), output.status.code(), Some(0));
        let table = String::from_utf8(output.stdout.clone()).unwrap();
        for row in &passed {
            rows.contains(fault, &table, &format!("| {row} | run on Istio 1.30.3 |\n"));
        }
        rows.contains(fault, &table, other);
        rows.check(fault, table.matches(" run on ").count(), passed.len());
        rows.contains(fault, &text(&output), "cluster: context kind-mesh of ");
        rows.check(fault, left(folder.path()), Vec::<String>::new());
        rows.check(fault, problems_of_calls(folder.path()), Vec::<String>::new());
        rows.check(fault, unreadable(folder.path()), Vec::<String>::new());
    }
}

/// What is wrong with the calls of a run: each names the given file and context, what changes something is in the namespace of the
/// test, and that is made first and removed last.
fn problems_of_calls(folder: &Path) -> Vec<String> {
    let calls = calls(folder);
    let (given, changing) =
        (format!("--kubeconfig {}", folder.join("config").display()), [" create ", " apply ", " delete "]);
    let changes: Vec<&String> = calls.iter().filter(|call| changing.iter().any(|verb| call.contains(verb))).collect();
    let [first, between @ .., last] = changes.as_slice() else { return vec!["nothing is changed".to_owned()] };
    let mut problems = Vec::new();
    let mut expect = |call: &str, what: &str| {
        if !call.contains(what) {
            problems.push(format!("{call}: lacks {what}"));
        }
    };
    calls.iter().for_each(|call| expect(call, &given));
    calls.iter().skip(1).for_each(|call| expect(call, " --context kind-mesh "));
    between.iter().for_each(|call| expect(call, " --namespace weir-test-"));
    expect(first, " create --filename -");
    expect(last, " delete namespace weir-test-");
    problems
}

/// The applied files that are not streams of objects with a kind and a name.
fn unreadable(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("cluster/seen")).unwrap().map(|entry| entry.unwrap().path());
    let has = |value: &Value, place: &str| value.pointer(place).is_some_and(Value::is_string);
    let is_object = |value: &Value| has(value, "/kind") && has(value, "/metadata/name");
    let reads = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let mut documents = serde_yaml_ng::Deserializer::from_str(&text);
        documents.all(|document| Value::deserialize(document).is_ok_and(|value| is_object(&value)))
    };
    files.filter(|path| !reads(path)).map(|path| path.display().to_string()).collect()
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_left() {
    let mut rows = Rows::default();
    for (fault, code, expected) in [
        ("no-context", 2, "config: error: current-context is not set"),
        ("no-cluster", 2, "the cluster does not answer: The connection to the server 127.0.0.1:6443 was refused"),
        ("no-istio", 2, "there is no Istio"),
        ("old", 2, "Istio 1.27.3 is not supported"),
        ("revisions", 2, "several revisions of Istio, canary default: give one as REVISION"),
        ("forbidden", 2, "cannot create resource \"namespaces\""),
        ("taken", 2, "(AlreadyExists): namespaces"),
        ("no-workloads", 2, "the workloads cannot be made"),
        ("no-start", 2, "upstream does not start"),
        (
            "one-form,refused",
            1,
            "| failed: not applied: Error from server: admission webhook \"validation.istio.io\" denied",
        ),
        ("one-form,open", 1, "| failed: not in force after 1 s: /admin and /items get 200 200, not 403 200 |"),
        ("one-form,closed", 1, "| failed: not in force after 1 s: /admin and /items get 403 403, not 403 200 |"),
        ("one-form,unlimited", 1, "| failed: a limit of two: 200 200 200, not 200 200 429 |"),
        ("one-form,uncounted", 1, "| failed: no counter of the proxy shows it: weir_policy_decisions_total"),
        ("one-form,stays", 1, "| failed: in force 1 s after it was deleted: /admin and /items get 403 200 |"),
    ] {
        let folder = cluster();
        let output = script(folder.path(), fault, &["config"]).output().unwrap();
        rows.check(format!("{fault}: {}", text(&output)), output.status.code(), Some(code));
        rows.contains(fault, &text(&output), expected);
        // A namespace that was there is somebody else's.
        rows.check(fault, left(folder.path()).len(), usize::from(fault == "taken"));
    }
    let folder = cluster();
    let output = script(folder.path(), "one-form,stuck", &["config"]).output().unwrap();
    rows.check("a namespace that stays makes it fail", output.status.code(), Some(1));
    rows.contains("and it says how to remove it", &text(&output), "may be left: kubectl --kubeconfig ");
    for (name, arguments, expected) in [
        ("no file", ["nowhere", IMAGE], "there is no file "),
        ("a tag", ["config", "oci://registry.example.com/suite:1"], "IMAGE is oci://REGISTRY/NAME@sha256:DIGEST"),
    ] {
        let folder = cluster();
        let output = script(folder.path(), "", &arguments).output().unwrap();
        rows.check(name, output.status.code(), Some(2));
        rows.contains(name, &text(&output), expected);
        rows.check(name, calls(folder.path()), Vec::<String>::new());
    }
}

/// `make` takes the file from its command line only, and hands it and the other variables on.
#[test]
fn the_target_uses_the_cluster_that_it_is_given() {
    let mut rows = Rows::default();
    for (name, arguments, expected) in [
        ("given", &["KUBECONFIG=config", "CONTEXT=kind-other"] as &[&str], "cluster: context kind-other of "),
        ("of the environment", &[], "weir: name the cluster: make test-istio KUBECONFIG=FILE"),
    ] {
        let folder = cluster();
        let set = script(folder.path(), "no-istio", &[]);
        let mut make = Command::new("make");
        make.args(["-C", &workspace().display().to_string(), "-o", "build", "test-istio"]);
        make.envs(set.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let place = folder.path().join("config");
        make.args(arguments.iter().map(|word| word.replace("=config", &format!("={}", place.display()))));
        let output = make.output().unwrap();
        rows.contains(name, &text(&output), expected);
        rows.check(name, calls(folder.path()).is_empty(), arguments.is_empty());
    }
}

#[test]
fn an_interrupted_test_removes_what_it_made() {
    let mut rows = Rows::default();
    // Ctrl-C reaches every process of the terminal's group, a supervisor's SIGTERM the shell alone.
    for (signal, whole, code) in [("INT", true, 130), ("TERM", false, 143)] {
        let folder = cluster();
        let child = script(folder.path(), "one-form,hang", &["config"]).process_group(0).spawn().unwrap();
        let begin = Instant::now();
        while !folder.path().join("cluster/hangs").exists() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it does not come to a request");
            std::thread::sleep(Duration::from_millis(20));
        }
        let target = if whole { format!("-{}", child.id()) } else { child.id().to_string() };
        let sent = Command::new("bash").args(["-c", &format!("kill -{signal} -- {target}")]).status().unwrap();
        rows.check(signal, sent.success(), true);
        let begin = Instant::now();
        let output = child.wait_with_output().unwrap();
        rows.check(format!("{signal}: {}", text(&output)), output.status.code(), Some(code));
        // The request hangs for a minute, with the shell's output open.
        rows.check(format!("{signal}: at once"), begin.elapsed() < Duration::from_secs(20), true);
        rows.check(signal, left(folder.path()), Vec::<String>::new());
    }
}
