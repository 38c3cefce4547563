//! What ends Envoy when this process cannot: a shell that waits on a pipe and kills Envoy once the pipe breaks.
//!
//! Dropping an `Envoy` kills it, but a process that dies of a signal drops nothing. The kernel closes its end of the pipe
//! in any case, and the guardian, in a process group that ctrl-C does not reach, does the rest.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Reads process ids, the last of which counts; at the end of the input kills that process, if there was one, and removes the
/// directory `$1`. An empty line disarms it.
const SCRIPT: &str = r#"
pid=none
while read -r line; do pid=$line; done
[ -n "$pid" ] || exit 0
if [ "$pid" != none ]; then
  kill -TERM "$pid" 2>/dev/null
  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1"
"#;

/// A running guardian.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
    input: ChildStdin,
}

impl Guardian {
    /// Starts one that guards no process yet, and removes `dir` when it has to act.
    pub(crate) fn start(dir: &Path) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "weir-guardian"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let input = shell.stdin.take().ok_or_else(|| io::Error::other("the guardian has no input"))?;
        Ok(Self { shell, input })
    }

    /// Guards the process `pid` from now on.
    pub(crate) fn guard(&mut self, pid: u32) -> io::Result<()> {
        writeln!(self.input, "{pid}")
    }

    /// Ends the guardian; the process it guarded has ended.
    pub(crate) fn dismiss(mut self) {
        if writeln!(self.input).is_ok() {
            drop(self.input);
        } else if self.shell.kill().is_err() {
            return;
        }
        if self.shell.wait().is_err() {
            // Not ours to wait for: nothing is left to end.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Guardian;
    use std::process::Command;
    use std::time::Duration;
    use weir_testing::Rows;

    #[test]
    fn what_a_killed_process_leaves_is_removed() {
        let mut rows = Rows::default();
        for (name, guards, dismissed, is_left) in [
            ("killed before Envoy is there", false, false, false),
            ("killed while it runs", true, false, false),
            ("ended well, before Envoy is there", false, true, true),
            ("ended well", true, true, true),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut guardian = Guardian::start(dir.path()).unwrap();
            let mut process = Command::new("sleep").arg("60").spawn().unwrap();
            if guards {
                guardian.guard(process.id()).unwrap();
            }
            if dismissed {
                guardian.dismiss();
            } else {
                // So the kernel does.
                let Guardian { mut shell, input } = guardian;
                drop(input);
                shell.wait().unwrap();
            }
            rows.check(name, dir.path().exists(), is_left);
            let ended = crate::wait_until(Duration::from_millis(100), || process.try_wait().unwrap());
            rows.check(format!("{name}: the process"), ended.is_some(), guards && !dismissed);
            let _ = process.kill();
            process.wait().unwrap();
        }
    }
}
