//! Log, time, ticks, status, the effective context and `proxy_done`.

use crate::abi::status::{Outcome, Status};
use crate::hostcall::guest::{Guest, give, read, write, write_word};
use crate::vm::context::Action;

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "critical"];

/// A level beyond `critical` is `BadArgument`; what is below the logger's level is dropped.
pub(crate) fn log(guest: Guest<'_, '_>, level: u32, text: u32, size: u32) -> Outcome {
    let name = usize::try_from(level).ok().and_then(|level| LEVELS.get(level)).ok_or(Status::BadArgument)?;
    let text = read(guest, text, size)?;
    let state = guest.data();
    if level >= state.site.process.settings.log_level {
        let context = state.acting();
        let prefix = state.root(context).map_or_else(|| state.log_prefix.clone(), |root| root.plugin.log_prefix());
        state.site.process.log(name, format!("{prefix}: {}", String::from_utf8_lossy(&text)));
    }
    Ok(())
}

pub(crate) fn log_level(guest: Guest<'_, '_>, to: u32) -> Outcome {
    let level = guest.data().site.process.settings.log_level;
    Ok(write_word(guest, to, level)?)
}

pub(crate) fn now(guest: Guest<'_, '_>, to: u32) -> Outcome {
    let wall = guest.data().site.process.clock.wall();
    Ok(write(guest, to, &wall.to_le_bytes())?)
}

/// One timer per root; 0 stops it.
pub(crate) fn tick(guest: Guest<'_, '_>, period: u32) -> Outcome {
    let state = guest.data_mut();
    let now = state.site.process.clock.monotonic();
    let acting = state.acting();
    let period = u64::from(period) * 1_000_000;
    if let Some(root) = state.root_mut(acting) {
        root.tick = (period > 0).then(|| (period, now + period));
    }
    Ok(())
}

pub(crate) fn status(guest: Guest<'_, '_>, code: u32, text: u32, size: u32) -> Outcome {
    let state = guest.data();
    let (number, message) = state.root(state.acting()).map(|root| root.status.clone()).unwrap_or_default();
    write_word(guest, code, number)?;
    give(guest, &message, text, size)
}

pub(crate) fn effective(guest: Guest<'_, '_>, context: u32) -> Outcome {
    let state = guest.data_mut();
    // The VM's own context, 0, stands for none: the one in the callback acts.
    if context != 0 && !state.contexts.contains_key(&context) {
        return Err(Status::BadArgument.into());
    }
    state.effective = context;
    Ok(())
}

/// Only for a root whose `on_done` said that there was more to do.
pub(crate) fn done(guest: Guest<'_, '_>) -> Outcome {
    let state = guest.data_mut();
    let acting = state.acting();
    let root = state.root_of(acting);
    match state.root_mut(acting) {
        Some(context) if root == acting && context.done_pending => {
            context.done_pending = false;
            state.actions.push(Action::Done { root });
            Ok(())
        }
        _ => Err(Status::NotFound.into()),
    }
}
