//! Which modules suit a device: those that it has rows for.
//!
//! One GETNEXT for each subtree that modules walk, many in a packet, tells whether there is anything. What was found
//! is remembered for a while, so that `module=auto` costs a scrape no more than the modules themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::asked::{Asked, Failure};
use crate::ber;
use crate::bridge::{Bridge, lock};
use crate::config::{Config, Module, WalkParams};
use crate::message::Value;
use crate::oid::{Dotted, Oid};
use crate::session::Manner;
use crate::walk::{Target, TargetKind};

/// The name that stands for all modules that suit a device.
pub const AUTO: &str = "auto";

/// How long it is remembered which modules suit a device.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Of how many devices.
const MAX_REMEMBERED: usize = 10_000;

/// Which modules suited devices, by what was asked and the configuration.
pub(crate) type Chosen = HashMap<(Asked, usize), (Instant, Arc<Discovered>)>;

/// What a device is, and what it has rows for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// What it says it is.
    pub description: Option<String>,
    /// What its vendor calls its kind.
    pub kind: Option<String>,
    /// The modules it has rows for, those of its vendor first.
    pub modules: Vec<String>,
    /// Of these, the ones that others of these contain.
    pub within_others: Vec<String>,
}

impl Discovered {
    /// The modules that together tell all, each thing once.
    pub fn best(&self) -> Vec<String> {
        self.modules.iter().filter(|name| !self.within_others.contains(name)).cloned().collect()
    }
}

impl Bridge {
    /// Puts the modules that suit the device in the place of [`AUTO`].
    pub(crate) async fn with_modules(
        &self,
        config: &Arc<Config>,
        mut asked: Asked,
        time: Duration,
    ) -> Result<Asked, Failure> {
        let is_auto = |name: &String| name == AUTO && !config.modules.contains_key(AUTO);
        if !asked.modules.iter().any(is_auto) {
            return Ok(asked);
        }
        let found = self.discover_with(config, &asked, time).await?;
        asked.modules.retain(|name| !is_auto(name));
        for name in found.best() {
            if !asked.modules.contains(&name) {
                asked.modules.push(name);
            }
        }
        if asked.modules.is_empty() {
            let message = format!("target {}: it has no rows for any of the modules", asked.target);
            return Err(Failure::Scrape(message));
        }
        Ok(asked)
    }

    /// Finds out which modules a device has rows for.
    pub async fn discover(&self, asked: &Asked, time: Duration) -> Result<Arc<Discovered>, Failure> {
        self.discover_with(&self.config(), asked, time).await
    }

    async fn discover_with(
        &self,
        config: &Arc<Config>,
        asked: &Asked,
        time: Duration,
    ) -> Result<Arc<Discovered>, Failure> {
        let key = (Asked { modules: Vec::new(), ..asked.clone() }, Arc::as_ptr(config) as usize);
        let now = Instant::now();
        if let Some((until, found)) = lock(&self.chosen).get(&key)
            && *until > now
        {
            return Ok(found.clone());
        }
        let found = Arc::new(self.probe(config, &key.0, now + time).await?);
        let mut chosen = lock(&self.chosen);
        if chosen.len() >= MAX_REMEMBERED {
            chosen.retain(|_, (until, _)| *until > now);
        }
        if chosen.len() < MAX_REMEMBERED {
            chosen.insert(key, (now + REMEMBERED, found.clone()));
        }
        Ok(found)
    }

    async fn probe(&self, config: &Config, asked: &Asked, deadline: Instant) -> Result<Discovered, Failure> {
        let begin = Instant::now();
        let mut session = self.open(config, asked, deadline).await?;
        let target = |oid: Oid, kind| Target { oid, kind };
        let mut targets: BTreeMap<Oid, TargetKind> = BTreeMap::new();
        for module in config.modules.values() {
            targets.extend(module.walk.iter().map(|oid| (oid.clone(), TargetKind::First)));
            targets.extend(module.get.iter().map(|oid| (oid.clone(), TargetKind::Variable)));
        }
        let about = [oid(&SYS_DESCR), oid(&SYS_OBJECT_ID)];
        targets.extend(about.iter().map(|oid| (oid.clone(), TargetKind::Variable)));
        let params = WalkParams { any_order: true, ..Module::default().params() };
        let manner = Manner { params, deadline };
        let targets = targets.into_iter().map(|(oid, kind)| target(oid, kind)).collect();
        let columns = match session.walk(targets, &manner).await.0 {
            Ok(columns) => columns,
            Err(error) if error.is_silence() => {
                return Err(self.unanswered(config, asked, begin, deadline, &error).await);
            }
            Err(error) => return Err(Failure::Scrape(format!("target {}: {error}", asked.target))),
        };
        let value = |name: &Oid| {
            let column = columns.iter().find(|column| column.prefix() == name)?;
            (!column.is_empty()).then(|| column.value(0))
        };
        let description = match value(&about[0]) {
            Some(Value::Octets(text)) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        let present: BTreeSet<&Oid> =
            columns.iter().filter(|column| !column.is_empty()).map(crate::rows::Column::prefix).collect();
        let mut kind_arcs = Vec::new();
        if let Some(Value::Oid(content)) = value(&about[1]) {
            // One that cannot be read is as good as none.
            let _ = ber::arcs(content, &mut kind_arcs);
        }
        let kind = (!kind_arcs.is_empty()).then(|| Dotted(&kind_arcs).to_string());
        let (modules, within_others) = suiting(config, &present, &kind_arcs);
        Ok(Discovered { description, kind, modules, within_others })
    }
}

const SYS_DESCR: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 1, 0];
const SYS_OBJECT_ID: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 2, 0];

const ENTERPRISES: [u32; 6] = [1, 3, 6, 1, 4, 1];

/// Whether one is within the other.
fn related(a: &Oid, b: &Oid) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn oid(arcs: &[u32]) -> Oid {
    Oid::from(arcs)
}

/// The modules of which something is present, those of the device's vendor first, and which of them are in others.
fn suiting(config: &Config, present: &BTreeSet<&Oid>, kind: &[u32]) -> (Vec<String>, Vec<String>) {
    // 1.3.6.1.4.1.VENDOR
    let vendor = kind.get(..7).filter(|arcs| arcs.starts_with(&ENTERPRISES));
    let mut found: Vec<(bool, &String, BTreeSet<&Oid>)> = Vec::new();
    for (name, module) in &config.modules {
        // Columns that only give labels, such as names of interfaces, are everywhere.
        let has_metric = |root: &&Oid| module.metrics.iter().any(|metric| related(&metric.oid, root));
        let roots: Vec<&Oid> = module.walk.iter().chain(&module.get).filter(has_metric).collect();
        let of_vendor = |root: &&&Oid| root.starts_with(&ENTERPRISES);
        // A module with a vendor's objects is for those; the standard ones in it are not why it is there.
        let vendors = roots.iter().any(|root| of_vendor(&root));
        let mut present =
            roots.iter().filter(|root| present.contains(**root)).filter(|root| !vendors || of_vendor(root));
        if present.clone().next().is_some() {
            let foreign = !vendor.is_some_and(|vendor| present.any(|root| root.starts_with(vendor)));
            found.push((foreign, name, module.metrics.iter().map(|metric| &metric.oid).collect()));
        }
    }
    found.sort_by_key(|(foreign, name, _)| (*foreign, *name));
    let mut within = Vec::new();
    for (at, (_, name, metrics)) in found.iter().enumerate() {
        let contains = |(other, (_, _, others)): (usize, &(bool, &String, BTreeSet<&Oid>))| {
            other != at && metrics.is_subset(others) && (metrics.len() < others.len() || other < at)
        };
        if found.iter().enumerate().any(contains) {
            within.push((*name).clone());
        }
    }
    (found.into_iter().map(|(_, name, _)| name.clone()).collect(), within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_with_rows_suit_and_the_vendors_come_first() {
        let metric = |oid: &str| format!("{{name: n, oid: {oid}, type: gauge}}");
        let config = Config::parse(&format!(
            "modules:\n  a_all: {{walk: [1.3.6.1.2.1.2], metrics: [{0}, {1}]}}\n  b_some: {{walk: [1.3.6.1.2.1.2], metrics: [{0}]}}\n  \
             c_same: {{walk: [1.3.6.1.2.1.2], metrics: [{0}, {1}]}}\n  d_none: {{walk: [1.3.6.1.2.1.9], metrics: [{2}]}}\n  \
             vendor: {{get: [1.3.6.1.4.1.5.1.0], metrics: [{3}]}}\n  no_metrics: {{walk: [1.3.6.1.2.1.2]}}\n  \
             other_vendor: {{walk: [1.3.6.1.2.1.2, 1.3.6.1.4.1.9], metrics: [{0}, {4}]}}\n",
            metric("1.3.6.1.2.1.2.1"),
            metric("1.3.6.1.2.1.2.2"),
            metric("1.3.6.1.2.1.9.1"),
            metric("1.3.6.1.4.1.5.1"),
            metric("1.3.6.1.4.1.9.1"),
        ));
        let config = config.unwrap();
        let [interfaces, vendor] =
            ["1.3.6.1.2.1.2", "1.3.6.1.4.1.5.1.0"].map(|oid| oid.parse::<Oid>().unwrap());
        let present = BTreeSet::from([&interfaces, &vendor]);
        let (modules, within_others) = suiting(&config, &present, &[1, 3, 6, 1, 4, 1, 5, 77]);
        assert_eq!(modules, ["vendor", "a_all", "b_some", "c_same"]);
        assert_eq!(within_others, ["b_some", "c_same"]);
        let found = Discovered { modules, within_others, ..Discovered::default() };
        assert_eq!(found.best(), ["vendor", "a_all"]);
        assert_eq!(suiting(&config, &BTreeSet::new(), &[]), (Vec::new(), Vec::new()));
    }
}
