//! What is released: images, hashes and their signature, by the scripts and commands of `docs/releasing.md`. That two builds
//! are the same is shown by `make reproduce`, which takes too long for a test.

use super::page::blocks;
use super::server::Server;
use super::{folder, printed, run, workspace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use weir_testing::Rows;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const MODULES: [&str; 8] = [
    "policy",
    "policy-observe",
    "rate-limit",
    "rate-limit-lean",
    "suite",
    "suite-lean",
    "telemetry",
    "telemetry-response",
];

/// What `make build` leaves, in `release` of a folder.
fn built(folder: &Path) {
    fs::create_dir(folder.join("release")).unwrap();
    for module in MODULES {
        let file = format!("{module}.wasm");
        fs::copy(workspace().join("dist").join(&file), folder.join("release").join(&file)).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_weir"), folder.join("release/weir")).unwrap();
    fs::write(folder.join("release/page.html"), "<!doctype html>").unwrap();
}

/// A script of the project, in a folder.
fn script(folder: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace().join("scripts").join(name));
    command.current_dir(folder).args(arguments).env("HOME", folder).env("DOCKER_CONFIG", folder);
    command.env_remove("REGISTRY_AUTH_FILE");
    command
}

/// Shell commands in a folder, with the released `weir` on the path.
fn shell(folder: &Path, commands: &str) -> (Option<i32>, String) {
    let search = format!("{}:{}", folder.join("release").display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-eu", "-o", "pipefail", "-c", commands]).current_dir(folder).env("PATH", search);
    bash.env("HOME", folder).env("DOCKER_CONFIG", folder).env_remove("REGISTRY_AUTH_FILE");
    run(&mut bash)
}

#[test]
fn the_page_signs_and_checks_a_release_and_tampering_is_noticed() {
    let (folder, server) = (folder(), Server::plain());
    let folder = folder.path();
    built(folder);
    let listed = printed(&mut script(folder, "release-files", &["release", COMMIT]));
    assert!(MODULES.iter().all(|module| listed.contains(&format!("{module}.wasm"))), "{listed}");
    printed(&mut script(folder, "push-images", &["release", &server.host()]));

    let page = fs::read_to_string(workspace().join("docs/releasing.md")).unwrap();
    // A key without a password, which a test could not type.
    let page = page.replace("registry.example.com", &server.host()).replace("minisign -G", "minisign -G -W");
    let commands = blocks(&page, "sh");
    let [key, sign, check] = commands.as_slice() else { panic!("{} blocks of commands, not 3", commands.len()) };
    for block in [key, sign, check] {
        let (code, output) = shell(folder, block);
        assert_eq!(code, Some(0), "{block}\n{output}");
    }

    let mut rows = Rows::default();
    for (name, file, says) in [
        ("a module that was changed", "suite.wasm", "suite.wasm: FAILED"),
        ("a binary that was changed", "weir", "weir: FAILED"),
        ("a digest of an image that was changed", "IMAGES", "IMAGES: FAILED"),
        ("hashes that were changed", "SHA256SUMS", "Signature verification failed"),
    ] {
        let path = folder.join("release").join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, [before.as_slice(), b"\n"].concat()).unwrap();
        let (code, output) = shell(folder, check);
        rows.check(format!("{name}: exit code"), code == Some(0), false);
        rows.contains(name, &output, says);
        fs::write(&path, before).unwrap();
    }
    rows.check("all is well again", shell(folder, check).0, Some(0));
    let another = format!("{key}{sign}").replace("weir.pub", "other.pub").replace("weir.key", "other.key");
    rows.check("another key", shell(folder, &another).0, Some(0));
    let (code, output) = shell(folder, check);
    rows.check("signed with another key: exit code", code == Some(0), false);
    rows.contains("signed with another key", &output, "Signature key id");
}

#[test]
fn the_files_of_a_release_are_the_same_each_time_and_fit_each_other() {
    let mut rows = Rows::default();
    let made = |commit: &str| {
        let folder = folder();
        built(folder.path());
        printed(&mut script(folder.path(), "release-files", &["release", commit]));
        (fs::read_to_string(folder.path().join("release/IMAGES")).unwrap(), folder)
    };
    let (images, kept) = made(COMMIT);
    rows.check("a second time", &made(COMMIT).0, &images);
    rows.check("another commit", made(&COMMIT.replace('0', "f")).0 == images, false);
    rows.check("images", images.lines().count(), MODULES.len());

    // A binary with other modules inside than those beside it.
    let folder = folder();
    built(folder.path());
    fs::copy(workspace().join("dist/suite-lean.wasm"), folder.path().join("release/suite.wasm")).unwrap();
    let (code, output) = run(&mut script(folder.path(), "release-files", &["release", COMMIT]));
    rows.check("other modules: exit code", code, Some(1));
    rows.contains("other modules", &output, "weir has another suite.wasm inside");

    // A list of digests that is not of these images.
    let server = Server::plain();
    fs::write(kept.path().join("release/IMAGES"), images.replace("@sha256:", "@sha256:00")).unwrap();
    let (code, output) = run(&mut script(kept.path(), "push-images", &["release", &server.host()]));
    rows.check("other digests: exit code", code, Some(1));
    rows.contains("other digests", &output, "another digest than that of IMAGES");
    // The list is not what `weir push` reads as its input.
    fs::write(kept.path().join("release/IMAGES"), &images).unwrap();
    fs::write(kept.path().join("password"), "open sesame\n").unwrap();
    let login = ["release", &server.host(), "--username", "ann", "--password-stdin"];
    let mut pushed = script(kept.path(), "push-images", &login);
    let (code, output) = run(pushed.stdin(fs::File::open(kept.path().join("password")).unwrap()));
    rows.check(format!("a password: {output}"), code, Some(0));
    rows.check("a password: images", output.lines().count(), MODULES.len());
    let (code, output) = run(&mut script(kept.path(), "push-images", &["release", ""]));
    rows.check("no registry: exit code", code, Some(1));
    rows.contains("no registry", &output, "usage: ");
}

/// What a workflow runs is there, and it needs no more rights than it says.
#[test]
fn workflows_call_targets_and_scripts_of_the_project() {
    let makefile = fs::read_to_string(workspace().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut rows = Rows::default();
    let mut called = BTreeSet::new();
    for workflow in ["ci", "release"] {
        let file = format!(".github/workflows/{workflow}.yml");
        let text = fs::read_to_string(workspace().join(&file)).unwrap();
        let parsed: Value = serde_yaml_ng::from_str(&text).unwrap();
        rows.check(format!("{file}: rights"), &parsed["permissions"]["contents"], "read");
        for (name, job) in parsed["jobs"].as_object().unwrap() {
            rows.check(format!("{file}, {name}: an end in time"), job["timeout-minutes"].is_u64(), true);
            for step in job["steps"].as_array().unwrap() {
                rows.check(
                    format!("{file}, {name}: {step}"),
                    step["run"].is_string() != step["uses"].is_string(),
                    true,
                );
                let lines = step["run"].as_str().unwrap_or_default().lines();
                for words in lines.map(|line| line.split_whitespace().collect::<Vec<_>>()) {
                    match words.as_slice() {
                        ["make", target, ..] => {
                            rows.check(format!("{file}: make {target}"), targets.contains(target), true);
                            called.insert((*target).to_owned());
                        }
                        [program, ..] if program.starts_with("scripts/") || program.starts_with(".ci/") => {
                            rows.check(format!("{file}: {program}"), workspace().join(program).is_file(), true);
                        }
                        _ => {}
                    }
                }
            }
        }
        if workflow == "release" {
            rows.check("what starts it", &parsed["on"], &serde_json::json!({"push": {"tags": ["v*"]}}));
        }
    }
    let expected = ["check-targets", "push-images", "release"];
    rows.check("what the workflows make", called.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// A value with a quote is still one word for the shell, and what is built is in the folder from which it is installed.
#[test]
fn the_makefile_takes_values_and_the_environment_as_they_are() {
    let mut rows = Rows::default();
    let make = |arguments: &[&str]| {
        let mut make = Command::new("make");
        make.args(arguments).current_dir(workspace()).env("CARGO_TARGET_DIR", "/elsewhere");
        // `make test` hands its own flags and its depth on.
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        printed(&mut make)
    };
    for (target, variable) in [
        ("test-istio", "KUBECONFIG"),
        ("test-istio", "IMAGE"),
        ("push-images", "REGISTRY"),
        ("release", "TAG"),
        ("conformance", "CASES"),
        ("conformance", "WORLD"),
        ("compare-crd", "CRD"),
        ("test-docker", "BASE"),
        ("test-docker", "PROMETHEUS"),
    ] {
        let commands = make(&["-n", target, &format!("{variable}=it's;touch-it")]);
        let quoted = "it'\\''s;touch-it";
        rows.contains(format!("{target} {variable}"), &commands, quoted);
        let others = commands.replace(quoted, "");
        rows.check(format!("{target} {variable}: not quoted"), others.contains("touch-it"), false);
    }
    let folder = make(&["--eval", "folder: ; @echo $$CARGO_TARGET_DIR", "folder"]);
    rows.check("the folder", folder, workspace().join("target").display().to_string());
}

/// On a project whose build takes no time.
#[test]
fn two_builds_are_compared_file_by_file_without_the_settings_of_the_machine() {
    let mut rows = Rows::default();
    let more = "case $$PWD in */another-*) echo x >dist/more ;; esac";
    let less = "case $$PWD in */one) echo x >dist/less ;; esac";
    for (name, build, expected) in [
        ("the same", "", Ok("")),
        ("one more", more, Err("weir: more differs between two builds")),
        ("one less", less, Err("weir: less differs between two builds")),
        ("a path", "echo '/a/c++(1)/x' >dist/path", Err("weir: path has paths of the machine")),
        ("none", "echo '/a/ccc1/x' >dist/path", Ok("")),
    ] {
        let folder = folder();
        fs::create_dir(folder.path().join("scripts")).unwrap();
        fs::copy(workspace().join("scripts/reproduce"), folder.path().join("scripts/reproduce")).unwrap();
        let settings = "$$RUSTC_WRAPPER$$CARGO_TARGET_DIR$$CARGO_PROFILE_RELEASE_LTO";
        let makefile =
            format!("page:\n\t@:\nbuild:\n\t@mkdir dist; echo \"{settings}\" >dist/settings\n\t@:; {build}\n");
        fs::write(folder.path().join("Makefile"), makefile).unwrap();
        let git = "git init -q . && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm a";
        assert_eq!(shell(folder.path(), git).0, Some(0));
        let mut reproduce = Command::new(folder.path().join("scripts/reproduce"));
        reproduce.arg("kept").env("CARGO_HOME", "/a/c++(1)").env("CARGO_TARGET_DIR", "/elsewhere");
        let (code, output) = run(reproduce.env("RUSTC_WRAPPER", "/wrapper").env("CARGO_PROFILE_RELEASE_LTO", "off"));
        rows.check(format!("{name}: {output}"), code, Some(i32::from(expected.is_err())));
        rows.contains(name, &output, expected.unwrap_or_else(|words| words));
        if code == Some(0) {
            let settings = fs::read_to_string(folder.path().join("kept/settings")).unwrap();
            rows.check(format!("{name}: settings"), settings.trim_end(), "");
        }
    }
}
