//! `weir diff`: what is deployed, compared with what `weir.yaml` describes; or the policies of a cluster with those of the
//! documents that are deployed in it.

mod compare;
mod coverage;
mod policies;

use self::compare::Sides;
use crate::diagnostic::count;
use crate::render::{MANAGED_BY, MANAGER, all};
use crate::tree::Files;
use crate::{Failure, input, object};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

/// What the two sides of a comparison are called.
const SIDES: Sides = Sides { left: "deployed", right: "described" };

/// The most differences of one object that are printed.
const SHOWN: usize = 20;

/// Options of `weir diff`.
#[derive(Args)]
pub(crate) struct Diff {
    /// What is deployed: manifests, folders of them, or the output of `kubectl get -o yaml`; `-` is standard input
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    deployed: Vec<PathBuf>,
    /// The `weir.yaml` that describes what should be
    #[arg(long, value_name = "FILE", required_unless_present = "policies")]
    config: Option<PathBuf>,
    /// Compare the AuthorizationPolicies among what is deployed with the documents of the plugins among it
    #[arg(long, conflicts_with = "config")]
    policies: bool,
}

/// Compares, and prints each difference.
pub(crate) fn diff(options: &Diff) -> Result<(), Failure> {
    let Some(config) = &options.config else { return policies::diff(Files::read(&options.deployed)?.trees) };
    let trees = input::trees(&options.deployed)?.into_iter().map(|(_, tree)| tree);
    let mut deployed: BTreeMap<String, Deployed> = BTreeMap::new();
    for tree in flat(trees) {
        match deployed.entry(all::identity(&tree)) {
            Entry::Vacant(place) => drop(place.insert(Deployed { tree, others: Vec::new() })),
            Entry::Occupied(mut found) => found.get_mut().others.push(tree),
        }
    }
    let (mut same, mut differing) = (0, 0);
    for workload in all::render(config)? {
        for tree in &workload.trees {
            let name = all::identity(tree);
            let lines = match deployed.remove(&name) {
                None => vec![format!("{name}: is not deployed")],
                Some(found) => {
                    let differences = compare::differences(&found.tree, tree, SIDES);
                    let twice = found.twice().map(|line| format!("{name}: {line}"));
                    twice.chain(differences.iter().map(|difference| format!("{name}: {difference}"))).collect()
                }
            };
            if lines.is_empty() {
                same += 1;
                continue;
            }
            differing += 1;
            for line in lines.iter().take(SHOWN) {
                say!("{line}")?;
            }
            if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                say!("{name}: and {more} more")?;
            }
        }
    }
    for name in deployed.iter().filter(|(_, found)| found.is_ours()).map(|(name, _)| name) {
        differing += 1;
        say!("{name}: is deployed, and not described")?;
    }
    match differing {
        0 => say!("{} deployed as described", count(same, "object is", "objects are")),
        _ => {
            let (differing, same) = (count(differing, "object differs", "objects differ"), count(same, "is", "are"));
            Err(Failure::No(format!("{differing}, {same} deployed as described")))
        }
    }
}

/// An object that is deployed.
struct Deployed {
    tree: Value,
    /// What else is said to be that object: files may hold more than the cluster can.
    others: Vec<Value>,
}

impl Deployed {
    /// That it is not clear which of several is deployed.
    fn twice(&self) -> impl Iterator<Item = &'static str> {
        let is_same = |other: &Value| compare::differences(&self.tree, other, SIDES).is_empty();
        let is_one = self.others.iter().all(is_same);
        (!is_one).then_some("is there twice, and not the same: give the one that is deployed").into_iter()
    }

    fn is_ours(&self) -> bool {
        std::iter::once(&self.tree).chain(&self.others).any(is_ours)
    }
}

/// The trees, and in the place of a list its objects.
fn flat(trees: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut objects = Vec::new();
    for mut tree in trees {
        match object::take_items(&mut tree) {
            Some(items) => objects.extend(flat(items.into_iter())),
            None => objects.push(tree),
        }
    }
    objects
}

/// Whether an object was rendered by this tool.
fn is_ours(tree: &Value) -> bool {
    let labels = tree.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(MANAGED_BY)).and_then(Value::as_str) == Some(MANAGER)
}
