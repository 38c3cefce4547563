//! A VM: one instance of a module on one thread, with its contexts. A trap kills it for all of them.

use crate::hostcall;
use crate::process::Site;
use crate::vm::context::{Action, Context, Root};
use crate::vm::module::{Loaded, engine, load};
use crate::vm::plugin::{PluginSpec, VmKey};
use crate::vm::state::{Limit, VmState};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wasmtime::{Extern, Instance, Linker, Store, Val};

/// The outcome of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// The module does not export it, or the VM is dead: it was not entered.
    Absent,
    /// It returned; 0 where it returns nothing.
    Returned(u32),
    /// It trapped.
    Trapped,
    /// It returned, but the guest's allocator trapped under it: the VM is dead, the callback was not interrupted.
    Failed,
}

impl Called {
    /// Whether the callback killed the VM.
    pub(crate) fn died(self) -> bool {
        matches!(self, Called::Trapped | Called::Failed)
    }
}

/// Which callback refused a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) callback: &'static str,
    plugin: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { callback, plugin } = self;
        write!(f, "Plugin configuration failed in {callback} of plugin {plugin}")
    }
}

/// An instance.
pub(crate) struct Vm {
    pub(crate) store: Store<VmState>,
    instance: Instance,
    pub(crate) id: u64,
    pub(crate) key: VmKey,
    /// It trapped.
    pub(crate) dead: bool,
}

impl Vm {
    /// Loads, links and starts a module for a plugin.
    ///
    /// # Errors
    /// What Envoy would log when it refuses the module.
    pub(crate) fn start(site: &Rc<Site>, plugin: &PluginSpec) -> Result<Vm, String> {
        let Loaded { module, abi } = load(&plugin.module)?;
        let engine = engine()?;
        let mut linker = Linker::new(engine);
        hostcall::link(&mut linker, abi).map_err(|e| format!("{e:#}"))?;
        let id = site.process.next_serial();
        let state = VmState {
            site: Rc::clone(site),
            vm: id,
            vm_id: plugin.vm_id.clone().into_bytes(),
            vm_config: plugin.vm_config.clone(),
            environment: plugin.environment.clone().into_iter().collect(),
            log_prefix: plugin.log_prefix(),
            memory: None,
            malloc: None,
            limit: Limit::Start,
            failed: None,
            current: 0,
            effective: 0,
            contexts: BTreeMap::new(),
            next_context: 0,
            actions: Vec::new(),
            metrics: BTreeMap::new(),
            next_metric: 0,
            http_calls: BTreeMap::new(),
            grpc_calls: BTreeMap::new(),
        };
        let mut store = Store::new(engine, state);
        store.set_fuel(u64::MAX).map_err(|e| e.to_string())?;
        let failed =
            |e: wasmtime::Error| format!("Failed to load Wasm module due to a missing import or a trap: {e:#}");
        let instance = linker.instantiate(&mut store, &module).map_err(failed)?;
        let memory = match instance.get_export(&mut store, "memory") {
            Some(Extern::Memory(memory)) => memory,
            _ => return Err("the module exports no memory".to_owned()),
        };
        store.data_mut().memory = Some(memory);
        let malloc = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| instance.get_typed_func::<u32, u32>(&mut store, name).ok())
            .ok_or("Wasm missing malloc/proxy_on_memory_allocate")?;
        store.data_mut().malloc = Some(malloc);
        let mut vm = Vm { store, instance, id, key: plugin.vm_key(), dead: false };
        vm.run_start().map_err(|e| format!("Start failed: {e:#}"))?;
        vm.store.data_mut().limit = Limit::None;
        Ok(vm)
    }

    /// `_initialize`, then `main(0, 0)` or `__main_void`; without `_initialize`, `_start`.
    fn run_start(&mut self) -> wasmtime::Result<()> {
        let Vm { store, instance, .. } = self;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize") {
            initialize.call(&mut *store, ())?;
            if let Ok(main) = instance.get_typed_func::<(u32, u32), u32>(&mut *store, "main") {
                main.call(&mut *store, (0, 0))?;
            } else if let Ok(main) = instance.get_typed_func::<(), u32>(&mut *store, "__main_void") {
                main.call(&mut *store, ())?;
            }
        } else if let Ok(start) = instance.get_typed_func::<(), ()>(&mut *store, "_start") {
            start.call(&mut *store, ())?;
        }
        Ok(())
    }

    /// Calls a callback on a context. The context is the first argument.
    pub(crate) fn call(&mut self, name: &'static str, context: u32, rest: &[u32]) -> Called {
        if self.dead {
            return Called::Absent;
        }
        let Some(function) = self.instance.get_func(&mut self.store, name) else { return Called::Absent };
        #[expect(clippy::cast_possible_wrap, reason = "the bits are what is passed")]
        let arguments: Vec<Val> = std::iter::once(&context).chain(rest).map(|&word| Val::I32(word as i32)).collect();
        let takes = function.ty(&self.store).params().len();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let state = self.store.data_mut();
        (state.current, state.effective, state.limit) = (context, 0, Limit::None);
        *state.site.costs.borrow_mut().callbacks.entry(name).or_default() += 1;
        let before = self.store.get_fuel().unwrap_or(u64::MAX);
        let done = function.call(&mut self.store, arguments.get(..takes).unwrap_or_default(), &mut results);
        let after = self.store.get_fuel().unwrap_or(before);
        // Fuel is filled up so that it never runs out.
        let filled = self.store.set_fuel(u64::MAX);
        let state = self.store.data_mut();
        state.site.costs.borrow_mut().instructions += before.saturating_sub(after);
        (state.current, state.effective) = (0, 0);
        let (called, trap) = match (done.and(filled), state.failed.take()) {
            (Ok(()), None) => (None, String::new()),
            (Ok(()), Some(trap)) => (Some(Called::Failed), trap),
            (Err(trap), _) => (Some(Called::Trapped), format!("{trap:#}")),
        };
        if let Some(called) = called {
            self.dead = true;
            state.site.process.log("error", format!("{} Function: {name} failed: {trap}", state.log_prefix));
            state.site.process.vm_failures.fetch_add(1, Ordering::SeqCst);
            return called;
        }
        match results.first() {
            #[expect(clippy::cast_sign_loss, reason = "the bits are what was returned")]
            Some(Val::I32(word)) => Called::Returned(*word as u32),
            _ => Called::Returned(0),
        }
    }

    /// Makes a context and announces it to the module.
    pub(crate) fn create(&mut self, context: Context) -> u32 {
        let state = self.store.data_mut();
        state.next_context += 1;
        let id = state.next_context;
        let parent = match &context {
            Context::Root(_) => 0,
            Context::Stream(stream) => stream.root,
        };
        state.contexts.insert(id, context);
        self.call("proxy_on_context_create", id, &[parent]);
        id
    }

    /// Makes the root context of a plugin and configures it.
    ///
    /// # Errors
    /// Why the plugin is refused.
    pub(crate) fn configure(&mut self, plugin: &Arc<PluginSpec>) -> Result<u32, Refused> {
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut root = Root::new(Arc::clone(plugin));
        root.configuring = true;
        let id = self.create(Context::Root(root));
        let steps =
            [("proxy_on_vm_start", size(&plugin.vm_config)), ("proxy_on_configure", size(&plugin.configuration))];
        for (callback, size) in steps {
            // The plugin configuration is there when the context is made and when it is configured, not in between.
            if let Some(root) = self.store.data_mut().root_mut(id) {
                root.configuring = callback == "proxy_on_configure";
            }
            let refused = match self.call(callback, id, &[size]) {
                Called::Returned(0) | Called::Trapped => true,
                Called::Returned(_) | Called::Failed => false,
                Called::Absent => self.dead,
            };
            if refused {
                return Err(Refused { callback, plugin: plugin.name.clone() });
            }
        }
        if let Some(root) = self.store.data_mut().root_mut(id) {
            root.configuring = false;
        }
        Ok(id)
    }

    /// Takes the actions that run after the call.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.store.data_mut().actions)
    }
}
