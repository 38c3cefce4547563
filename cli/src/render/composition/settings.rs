//! What may be said for all workloads of `weir.yaml`, and for each.

use crate::compile::Module;
use crate::render::form::Form;
use crate::render::plan::{EnvoyLine, Phase, Sections};
use crate::render::schema::Istio;
use clap::ValueEnum;
use std::collections::BTreeMap;
use weir_config::{Cursor, Fields, Mode};

/// The sections of a document, and the modules that run one of them alone.
const SECTIONS: [(&str, Module); 3] =
    [("policy", Module::Policy), ("rateLimit", Module::RateLimit), ("telemetry", Module::Telemetry)];

const MODES: [Mode; 4] = [Mode::Off, Mode::Observe, Mode::Shadow, Mode::Enforce];

/// What is said; `None` and empty for what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) form: Option<Form>,
    modules: Option<Vec<Module>>,
    /// By the word of the module.
    images: BTreeMap<String, String>,
    /// By the word of the module.
    module_files: BTreeMap<String, String>,
    pub(crate) pull_secret: Option<String>,
    pub(crate) phase: Option<Phase>,
    pub(crate) priority: Option<i32>,
    pub(crate) istio: Option<Istio>,
    pub(crate) envoy: Option<EnvoyLine>,
    pub(crate) mode: Option<Mode>,
    modes: Vec<(Module, Mode)>,
    sections: Option<Vec<Module>>,
    outbound: Option<Vec<Module>>,
    pub(crate) replaces_native: Option<bool>,
}

impl Settings {
    /// Takes the settings out of an object.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let mut section_list = |name| fields.take(name).map(|at| at.each(|item| item.word(&SECTIONS)));
        let (sections, outbound) = (section_list("sections"), section_list("outbound"));
        Self {
            form: fields.take("form").and_then(|at| word(&at)),
            modules: fields.take("modules").map(|at| at.each(|item| word(&item))),
            images: fields.take("images").map(|at| by_module(&at)).unwrap_or_default(),
            module_files: fields.take("moduleFiles").map(|at| by_module(&at)).unwrap_or_default(),
            pull_secret: fields.take("pullSecret").and_then(|at| at.text()).map(str::to_owned),
            phase: fields.take("phase").and_then(|at| word(&at)),
            priority: fields.take("priority").and_then(|at| priority(&at)),
            istio: fields.take("istio").and_then(|at| word(&at)),
            envoy: fields.take("envoy").and_then(|at| word(&at)),
            mode: fields.take("mode").and_then(|at| mode(&at)),
            modes: fields.take("modes").map(|at| modes(&at)).unwrap_or_default(),
            sections,
            outbound,
            replaces_native: fields.take("replaceNative").and_then(|at| at.bool()),
        }
    }

    /// These, and where they say nothing, `whole`.
    pub(crate) fn or(self, whole: &Self) -> Self {
        let mut modes = whole.modes.clone();
        modes.retain(|(section, _)| !self.modes.iter().any(|(own, _)| own == section));
        modes.extend(self.modes);
        // A workload that says where a module is from says all of it.
        let says = |module: &String| self.images.contains_key(module) || self.module_files.contains_key(module);
        let unsaid = |places: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            places
                .iter()
                .filter(|(module, _)| !says(module))
                .map(|(module, place)| (module.clone(), place.clone()))
                .collect()
        };
        let (images, module_files) = (unsaid(&whole.images), unsaid(&whole.module_files));
        Self {
            form: self.form.or(whole.form),
            modules: self.modules.or(whole.modules.clone()),
            images: images.into_iter().chain(self.images).collect(),
            module_files: module_files.into_iter().chain(self.module_files).collect(),
            pull_secret: self.pull_secret.or(whole.pull_secret.clone()),
            phase: self.phase.or(whole.phase),
            priority: self.priority.or(whole.priority),
            istio: self.istio.or(whole.istio),
            envoy: self.envoy.or(whole.envoy),
            mode: self.mode.or(whole.mode),
            modes,
            sections: self.sections.or(whole.sections.clone()),
            outbound: self.outbound.or(whole.outbound.clone()),
            replaces_native: self.replaces_native.or(whole.replaces_native),
        }
    }

    /// The image and the file of a module, if the form can load it. Envoy itself pulls no images, and Envoy Gateway loads no
    /// files, so `images` and `moduleFiles` may both be there for workloads of different forms.
    pub(crate) fn place_of(&self, module: Module, form: Form) -> (Option<String>, Option<String>) {
        let of = |places: &BTreeMap<String, String>| places.get(module.word()).cloned();
        match (of(&self.images), of(&self.module_files)) {
            (Some(_), file @ Some(_)) if form == Form::Envoy => (None, file),
            (image @ Some(_), Some(_)) if form == Form::EnvoyGateway => (image, None),
            place => place,
        }
    }

    /// The modules that are loaded; the suite if nothing is said.
    pub(crate) fn modules(&self) -> &[Module] {
        self.modules.as_deref().unwrap_or(&[Module::Suite])
    }

    /// Which sections run where. Nothing runs on outbound listeners unless it is said, but telemetry alone.
    pub(crate) fn sections_of(&self, module: Module) -> Sections {
        let silent = if module == Module::Telemetry { vec![Module::Telemetry] } else { Vec::new() };
        Sections {
            inbound: self.sections.clone(),
            outbound: Some(self.outbound.clone().unwrap_or(silent)),
            modes: self.modes.clone(),
        }
    }
}

/// One of the words of an enumeration of the command line.
fn word<T: ValueEnum + Clone>(at: &Cursor<'_>) -> Option<T> {
    let names: Vec<(String, T)> = T::value_variants()
        .iter()
        .filter_map(|variant| Some((variant.to_possible_value()?.get_name().to_owned(), variant.clone())))
        .collect();
    let words: Vec<(&str, T)> = names.iter().map(|(name, variant)| (name.as_str(), variant.clone())).collect();
    at.word(&words)
}

fn mode(at: &Cursor<'_>) -> Option<Mode> {
    at.word(&MODES.map(|mode| (mode.word(), mode)))
}

fn modes(at: &Cursor<'_>) -> Vec<(Module, Mode)> {
    let Some(mut fields) = at.object() else { return Vec::new() };
    let modes = SECTIONS.map(|(name, section)| Some((section, fields.take(name).and_then(|at| mode(&at))?)));
    fields.finish();
    modes.into_iter().flatten().collect()
}

fn by_module(at: &Cursor<'_>) -> BTreeMap<String, String> {
    let Some(mut fields) = at.object() else { return BTreeMap::new() };
    let modules = [Module::Policy, Module::RateLimit, Module::Telemetry, Module::Suite];
    let text = |module: Module| Some((module.word().to_owned(), fields.take(module.word())?.text()?.to_owned()));
    let found = modules.map(text);
    fields.finish();
    found.into_iter().flatten().collect()
}

/// Istio's priorities are 32-bit numbers, and may be negative.
fn priority(at: &Cursor<'_>) -> Option<i32> {
    let number = match at.value() {
        weir_config::Value::Number(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
        _ => None,
    };
    number.or_else(|| at.problem("expected a whole number of 32 bits"))
}
