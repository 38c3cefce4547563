//! Changing the configuration of a running proxy through discovery, with requests going on meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use weir_launch::wait_until;
use weir_scenario::{Change, Failure, Request, Response};

use crate::discovery;
use crate::filters::{Discovery, Plugin, Setup};
use crate::proxy::{Answered, PATIENCE, Proxy};
use crate::wire::Dialer;

/// The fewest and the most requests around a swap.
const FEWEST: usize = 10;
const MOST: usize = 20_000;
/// How long the load goes on before and after.
const MARGIN: Duration = Duration::from_millis(80);

impl Proxy {
    /// Swaps the plugins' configuration (same plugins, same order) and waits until Envoy has taken it everywhere or refused
    /// it. Where `during` is given, that request goes out over and over on a connection of its own from before the swap
    /// until after it, at least ten times.
    ///
    /// # Errors
    /// When the setup has no discovery, the plugins are others, or Envoy does not answer.
    pub fn swap(&mut self, plugins: Vec<Plugin>, during: Option<&Request>) -> Result<Change, Failure> {
        let running = if self.setup.proxy.tcp.is_some() { &self.setup.network } else { &self.setup.plugins };
        let same = plugins.iter().map(|plugin| &plugin.name).eq(running.iter().map(|plugin| &plugin.name));
        if !same {
            return Err(Failure("a swap changes configuration, not which plugins there are".to_owned()));
        }
        let Some(request) = during else {
            return Ok(Change { refused: self.swap_quietly(plugins)?, during: Vec::new() });
        };
        let dialer = self.dialer(request)?;
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let load = scope.spawn(|| load(&dialer, request, &ended));
            thread::sleep(MARGIN);
            let refused = self.swap_quietly(plugins);
            thread::sleep(MARGIN);
            ended.store(true, Ordering::Relaxed);
            let during = load.join().map_err(|_| Failure("the load ended badly".to_owned()))??;
            Ok(Change { refused: refused?, during })
        })
    }

    /// What Envoy reported if it refused the new configuration.
    fn swap_quietly(&mut self, plugins: Vec<Plugin>) -> Result<Option<String>, Failure> {
        let from = self.log_length()?;
        let refused = match self.setup.discovery {
            Discovery::None => return Err(Failure("this proxy has no discovery to swap through".to_owned())),
            Discovery::Filters | Discovery::Both => self.swap_filters(plugins)?,
            Discovery::Listener => self.swap_listener(plugins)?,
        };
        if refused {
            return self.complaints(from).map(Some);
        }
        self.settle();
        Ok(None)
    }

    fn swap_filters(&mut self, plugins: Vec<Plugin>) -> Result<bool, Failure> {
        let mut refused = false;
        for (position, plugin) in plugins.into_iter().enumerate() {
            if self.setup.plugins.get(position) == Some(&plugin) {
                continue;
            }
            let before = Answered::filter(&self.stats()?, &plugin.name);
            discovery::write_filter(&plugin, self.setup.on_failure, self.envoy.dir())?;
            let answer = || Some(Answered::filter(&self.stats().ok()?, &plugin.name)).filter(|now| *now != before);
            let now = wait_until(PATIENCE, answer);
            let now = now.ok_or_else(|| Failure(format!("envoy did not read the new `{}`", plugin.name)))?;
            if now.refused > before.refused {
                refused = true;
            } else if let Some(running) = self.setup.plugins.get_mut(position) {
                *running = plugin;
            }
        }
        Ok(refused)
    }

    fn swap_listener(&mut self, plugins: Vec<Plugin>) -> Result<bool, Failure> {
        let mut setup = self.setup.clone();
        if setup.proxy.tcp.is_some() {
            setup.network = plugins;
        } else {
            setup.plugins = plugins;
        }
        if self.setup == setup { Ok(false) } else { self.serve_listener(setup) }
    }

    /// Serves another listener, with the files of filters that are new in it, as istiod does when objects come or go. Waits
    /// until new connections get it; those that are open keep the one before until it has drained. The files of filters that
    /// are gone stay: istiod never removes a resource of extension discovery (istio/istio#49855), so connections of before
    /// keep their filter.
    ///
    /// # Errors
    /// When the listener is not discovered, or Envoy refuses it or does not answer.
    pub fn change_listener(&mut self, change: impl FnOnce(&mut Setup)) -> Result<(), Failure> {
        if self.setup.discovery != Discovery::Both {
            return Err(Failure("this proxy has no discovery of its listener and filters".to_owned()));
        }
        let mut setup = self.setup.clone();
        change(&mut setup);
        for plugin in setup.plugins.iter().filter(|plugin| !self.setup.plugins.contains(plugin)) {
            discovery::write_filter(plugin, setup.on_failure, self.envoy.dir())?;
        }
        let from = self.log_length()?;
        if self.serve_listener(setup)? {
            return Err(Failure(self.complaints(from)?));
        }
        let warm = || (self.gauge("listener_manager.total_listeners_warming") == Some(0)).then_some(());
        wait_until(PATIENCE, warm).ok_or_else(|| Failure("the new listener does not come into force".to_owned()))?;
        self.settle();
        Ok(())
    }

    /// Waits until no connection is left that a replaced listener decides.
    ///
    /// # Errors
    /// When that takes long.
    pub fn drained(&self) -> Result<(), Failure> {
        const DRAINING: [&str; 2] =
            ["listener_manager.total_filter_chains_draining", "listener_manager.total_listeners_draining"];
        let none = || DRAINING.iter().all(|name| self.gauge(name) == Some(0)).then_some(());
        wait_until(PATIENCE, none).ok_or_else(|| Failure("connections of a replaced listener stay".to_owned()))
    }

    fn gauge(&self, name: &str) -> Option<u64> {
        self.stats().ok()?.get(name).copied()
    }

    /// Writes the listener and waits for Envoy's answer: whether it refused it.
    fn serve_listener(&mut self, setup: Setup) -> Result<bool, Failure> {
        let before = Answered::listener(&self.stats()?);
        let server = self.tls.as_ref().map(|tls| &tls.server);
        discovery::write_listener(&setup, server, self.envoy.dir())?;
        let answer = || Some(Answered::listener(&self.stats().ok()?)).filter(|now| *now != before);
        let now = wait_until(PATIENCE, answer).ok_or_else(|| Failure("envoy did not read its listener".to_owned()))?;
        if now.refused > before.refused {
            return Ok(true);
        }
        self.setup = setup;
        Ok(false)
    }

    /// Waits until every worker has its VM: the count of VMs made stays the same for a while.
    fn settle(&self) {
        let mut last = None;
        let mut calm = 0;
        wait_until(PATIENCE, || {
            let created = self.vm_stats().ok()?.created;
            calm = if last == Some(created) { calm + 1 } else { 0 };
            last = Some(created);
            (calm > 4).then_some(())
        });
    }
}

/// Sends the request until the swap is over, on one connection unless that breaks or is closed.
fn load(dialer: &Dialer, request: &Request, ended: &AtomicBool) -> Result<Vec<Response>, Failure> {
    let mut wire = dialer.connect(request)?;
    let mut responses = Vec::new();
    while responses.len() < MOST && (responses.len() < FEWEST || !ended.load(Ordering::Relaxed)) {
        if !wire.is_open() {
            wire = dialer.connect(request)?;
        }
        responses.push(wire.send(request));
        thread::sleep(Duration::from_millis(1));
    }
    Ok(responses)
}
