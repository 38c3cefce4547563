//! The figures on the terminal, and as `docs/benchmarks.md` with its picture.

mod page;
mod picture;

use crate::hostile::Row;
use crate::latency::Latency;
use crate::measure::{Name, Rounds, Spread, WORKERS, Weight, added, ratio};
use crate::scene::Scene;
use crate::variants::{BASE, COMPARED_RULES, Pair, Source};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Everything measured; what was left out is empty.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) instructions: Vec<(Name, u64)>,
    /// Instructions of the variants by which sources are priced.
    pub(crate) prices: Vec<(Name, u64)>,
    pub(crate) sources: Vec<Source>,
    /// Instructions of hostile configurations, and the rows that they make.
    pub(crate) hostile: Vec<(Name, u64)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) rounds: Rounds,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) weights: Vec<Weight>,
}

impl Figures {
    /// Instructions of a scene: name, all, and what is added to the scene's base.
    fn instructions_of(&self, scene: Scene) -> Vec<(&str, u64, u64)> {
        let of = || self.instructions.iter().filter(move |((found, _), _)| *found == scene);
        let base = of().find(|((_, name), _)| name == BASE).map_or(0, |(_, count)| *count);
        of().map(|((_, name), count)| (name.as_str(), *count, count.saturating_sub(base))).collect()
    }

    /// What each source adds to a request, by what is read and in which scene, in instructions.
    fn price_of(&self, what: &str, scene: Scene) -> Option<i64> {
        let source = self.sources.iter().find(|source| source.what == what && source.scene == scene)?;
        let count = |name: &String| {
            let (_, count) = self.prices.iter().find(|((found, named), _)| *found == scene && named == name)?;
            i64::try_from(*count).ok()
        };
        Some(count(&source.with)? - count(&source.without)?)
    }

    /// What policies add to a request of a hostile configuration: Weir's with few rules and with many, and Envoy's with many.
    fn added_by(&self, row: &Row) -> Option<[u64; 3]> {
        let count = |name: &String| self.hostile.iter().find(|((_, found), _)| found == name).map(|(_, count)| *count);
        let base = count(&row.base)?;
        let added = |name: &String| Some(count(name)?.saturating_sub(base));
        Some([added(&row.few)?, added(&row.many)?, added(&row.native)?])
    }

    /// What is priced, each once.
    fn priced(&self) -> Vec<&'static str> {
        let mut all: Vec<&str> = Vec::new();
        for source in &self.sources {
            if !all.contains(&source.what) {
                all.push(source.what);
            }
        }
        all
    }

    /// The comparisons of a scene.
    fn ratios_of(&self, scene: Scene) -> Vec<(&Pair, Spread)> {
        let of = |pair: &Pair| ratio(&self.rounds, scene, &pair.ours, &pair.theirs);
        self.pairs.iter().filter_map(|pair| Some((pair, of(pair)?))).collect()
    }

    /// From how many rules on Weir's policy takes less time than Envoy's RBAC, if that is between two compared numbers.
    fn crossing(&self, scene: Scene) -> Option<f64> {
        let median = |name: String| Some(Spread::of(added(&self.rounds, scene, &name)?).middle);
        let difference = |rules: usize| {
            let ours = median(format!("weir policy, {rules} rules"))?;
            Some((rules as f64, ours - median(format!("Envoy RBAC, {rules} policies"))?))
        };
        let differences: Vec<(f64, f64)> = COMPARED_RULES.iter().filter_map(|rules| difference(*rules)).collect();
        differences.windows(2).find_map(|pair| match pair {
            [(low, dearer), (high, cheaper)] if *dearer > 0.0 && *cheaper <= 0.0 => {
                Some(low + (high - low) * dearer / (dearer - cheaper))
            }
            _ => None,
        })
    }

    /// Microseconds that a variant adds to what half of the requests and all but a hundredth take; of the base all of them.
    fn waits_of(&self, name: &str) -> (f64, f64) {
        let of = |name: &str| self.latencies.iter().find(|latency| latency.name == name);
        let micros = |latency: &Latency| (latency.half_micros, latency.most_micros);
        match (of(BASE).map(micros), of(name).map(micros)) {
            (Some((half, most)), Some((own_half, own_most))) if name != BASE => (own_half - half, own_most - most),
            (_, own) => own.unwrap_or_default(),
        }
    }

    /// What a variant weighs above the base.
    fn above_base(&self, weight: &Weight) -> Above {
        let Some(base) = self.weights.iter().find(|weight| weight.name == BASE) else { return Above::default() };
        let mib = |weight: &Weight| weight.resident_kib.map(|kib| kib as f64 / 1024.0);
        let [few, many] = WORKERS.map(|workers| workers as f64);
        let [[two, eight], [base_two, base_eight]] = [weight, base].map(mib);
        let each = |two: f64, eight: f64| (eight - two) / (many - few);
        let [cpu, base_cpu] = [weight, base].map(|weight| each(weight.ready_cpu_millis[0], weight.ready_cpu_millis[1]));
        Above {
            mib: two - base_two,
            allocated_mib: (weight.allocated_kib as f64 - base.allocated_kib as f64) / 1024.0,
            worker_mib: each(two, eight) - each(base_two, base_eight),
            worker_cpu_millis: cpu - base_cpu,
        }
    }
}

/// What a variant weighs above Envoy without a filter.
#[derive(Clone, Copy, Debug, Default)]
struct Above {
    /// MiB with two workers, and how many of those are allocated and not free.
    mib: f64,
    allocated_mib: f64,
    /// MiB for each further worker, and the milliseconds of CPU that starting it takes.
    worker_mib: f64,
    worker_cpu_millis: f64,
}

impl Above {
    /// GiB in a thousand pods of two workers.
    fn thousand_pods_gib(self) -> f64 {
        self.mib * 1_000.0 / 1_024.0
    }
}

/// A number with a comma every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The figures for a terminal, microseconds included.
pub(crate) fn text(figures: &Figures) -> String {
    let mut out = String::new();
    for scene in Scene::ALL {
        let rows = figures.instructions_of(scene);
        if !rows.is_empty() {
            let _ = writeln!(out, "\n{:<52} {:>13} {:>11}", scene.title(), "instructions", "added");
        }
        for (name, all, added) in rows {
            let _ = writeln!(out, "{name:<52} {:>13} {:>11}", grouped(all), grouped(added));
        }
    }
    for what in figures.priced() {
        let prices = Scene::ALL.map(|scene| page::price(figures.price_of(what, scene)));
        let _ = writeln!(out, "{what:<76} {:>9} {:>9} {:>9}", prices[0], prices[1], prices[2]);
    }
    for row in &figures.rows {
        let added = figures.added_by(row).unwrap_or_default().map(grouped);
        let _ = writeln!(out, "{:<76} {:>6} {:>10} {:>10} {:>12}", row.title, row.rules, added[0], added[1], added[2]);
    }
    for scene in Scene::ALL {
        let of_scene: Vec<_> = figures.rounds.iter().filter(|((found, _), _)| *found == scene).collect();
        if of_scene.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{:<52} CPU us added, median (low - high)", scene.title());
        for ((_, name), all) in of_scene {
            let all = if name == BASE { Some(all.clone()) } else { added(&figures.rounds, scene, name) };
            let Spread { low, middle, high } = Spread::of(all.unwrap_or_default());
            let _ = writeln!(out, "{name:<52} {middle:.1} ({low:.1} - {high:.1})");
        }
        let _ = writeln!(out);
        for (Pair { ours, theirs }, Spread { low, middle, high }) in figures.ratios_of(scene) {
            let _ = writeln!(out, "{ours:<28} : {theirs:<44} {middle:.2} ({low:.2} - {high:.2})");
        }
        if let Some(rules) = figures.crossing(scene) {
            let _ = writeln!(out, "weir policy takes less time than Envoy RBAC from {rules:.0} rules on");
        }
    }
    if !figures.latencies.is_empty() {
        let _ = writeln!(
            out,
            "\n{:<52} {:>10} {:>10} {:>12}",
            "us added at 1,000 a second", "half", "99 of 100", "held a second"
        );
    }
    for Latency { name, held, .. } in &figures.latencies {
        let (half, most) = figures.waits_of(name);
        let _ = writeln!(out, "{name:<52} {half:>10.0} {most:>10.0} {:>12}", grouped((*held).into()));
    }
    if !figures.weights.is_empty() {
        let _ = writeln!(
            out,
            "\n{:<52} {:>9} {:>10} {:>13} {:>9} {:>7} {:>16}",
            "memory and start, 2 workers", "MiB", "allocated", "MiB a worker", "ready ms", "CPU ms", "CPU ms a worker"
        );
    }
    for weight in &figures.weights {
        let Above { mib, allocated_mib, worker_mib, worker_cpu_millis } = figures.above_base(weight);
        let Weight { name, ready_millis: ready, ready_cpu_millis: [cpu, _], .. } = weight;
        let _ = writeln!(
            out,
            "{name:<52} {mib:>9.1} {allocated_mib:>10.1} {worker_mib:>13.1} {ready:>9.0} {cpu:>7.0} {worker_cpu_millis:>16.0}"
        );
    }
    out
}

/// Writes the page and the picture, or the parts of the page that there are figures for.
///
/// # Errors
/// When a file cannot be written, or the page that is there lacks a part.
pub(crate) fn write(version: &str, figures: &Figures, is_whole: bool) -> Result<(), String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let file = docs.join("benchmarks.md");
    let page = if is_whole {
        page::page(version, figures)?
    } else {
        let mut page = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        for (heading, text) in page::parts(figures)? {
            page =
                replaced(&page, heading, &text).ok_or_else(|| format!("the page has no `{}`", heading.trim_end()))?;
        }
        page
    };
    fs::write(file, page).map_err(|error| error.to_string())?;
    let bars = figures.instructions_of(Scene::Plain);
    if bars.is_empty() {
        return Ok(());
    }
    fs::write(docs.join("benchmarks.svg"), picture::picture(&bars)).map_err(|error| error.to_string())
}

/// The page with another text for the part that begins with `heading`.
fn replaced(page: &str, heading: &str, text: &str) -> Option<String> {
    let from = page.find(heading)?;
    let (before, rest) = page.split_at_checked(from)?;
    let end = rest.get(heading.len()..)?.find("\n## ").map(|end| heading.len() + end + 1);
    Some(match end {
        Some(end) => format!("{before}{}\n\n{}", text.trim_end(), rest.get(end..)?),
        None => format!("{before}{text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn a_part_of_the_page_is_written_alone() {
        let page = "# P\n\n## A\n\nold\n\n## B\n\nlast\n";
        assert_eq!(replaced(page, "## A\n", "## A\n\nnew\n").as_deref(), Some("# P\n\n## A\n\nnew\n\n## B\n\nlast\n"));
        assert_eq!(replaced(page, "## B\n", "## B\n\nnew\n").as_deref(), Some("# P\n\n## A\n\nold\n\n## B\n\nnew\n"));
        assert_eq!(replaced(page, "## C\n", ""), None);
    }
}
