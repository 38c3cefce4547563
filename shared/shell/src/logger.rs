//! The `log` crate's lines and the message of a panic go to Envoy's log.

use crate::abi;
use log::{Level, LevelFilter, Log, Metadata, Record};

const CRITICAL: u32 = 5;

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => 4,
            Level::Warn => 3,
            Level::Info => 2,
            Level::Debug | Level::Trace => return,
        };
        abi::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Called once in a VM, before anything is logged.
pub(crate) fn start() {
    static LOGGER: Logger = Logger;
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
    std::panic::set_hook(Box::new(|info| abi::log(CRITICAL, &info.to_string())));
}
