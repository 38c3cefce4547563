//! A wall clock for one Envoy that can be set off from this machine's: a library that is loaded before the C library adds an
//! offset, read from a file that both map, to `CLOCK_REALTIME` and to no other clock.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_launch::Launch;
use weir_scenario::Failure;

/// The library.
const SOURCE: &str = include_str!("wall_clock/shim.c");

/// The clock of one Envoy.
#[derive(Debug)]
pub(crate) struct WallClock {
    library: PathBuf,
    offset: PathBuf,
    file: fs::File,
    millis: i64,
}

impl WallClock {
    /// Compiles the library into `dir`; the clock is right at first.
    ///
    /// # Errors
    /// When there is no C compiler, or a file cannot be written.
    pub(crate) fn new(dir: &Path) -> Result<Self, Failure> {
        let failed = |what: &str, error: std::io::Error| Failure(format!("a wall clock for envoy: {what}: {error}"));
        let (source, library) = (dir.join("wall_clock.c"), dir.join("wall_clock.so"));
        let offset = dir.join("wall_clock.offset");
        fs::write(&source, SOURCE).map_err(|error| failed("source", error))?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).args([&library, &source]);
        let built = compiler.output().map_err(|error| failed("cc", error))?;
        if !built.status.success() {
            return Err(Failure(format!("a wall clock for envoy: cc: {}", String::from_utf8_lossy(&built.stderr))));
        }
        fs::write(&offset, 0i64.to_ne_bytes()).map_err(|error| failed("offset", error))?;
        let file = fs::File::options().write(true).open(&offset).map_err(|error| failed("offset", error))?;
        Ok(Self { library, offset, file, millis: 0 })
    }

    /// Gives this clock to the next Envoy that starts.
    pub(crate) fn own(&self, launch: Launch) -> Launch {
        let launch = launch.environment("LD_PRELOAD", self.library.as_os_str());
        launch.environment("WEIR_WALL_CLOCK", self.offset.as_os_str())
    }

    /// Sets the clock off from this machine's by so many milliseconds.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn set_off(&mut self, millis: i64) -> Result<(), Failure> {
        let nanos = millis.saturating_mul(1_000_000);
        let written = self.file.write_all_at(&nanos.to_ne_bytes(), 0);
        written.map_err(|error| Failure(format!("a wall clock for envoy: offset: {error}")))?;
        self.millis = millis;
        Ok(())
    }

    /// By how much it is off.
    pub(crate) fn off_millis(&self) -> i64 {
        self.millis
    }
}
