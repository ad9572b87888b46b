//! What program this is, as a metric.

use crate::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricName, MetricType};
use crate::{Error, model::LabelSet};

/// The version of a program and what it was built from, as labels of one metric whose value is 1.
///
/// The [`build_info!`](crate::build_info) macro makes one for the crate it stands in.
///
/// ```
/// use openmetrics::process::Build;
///
/// let build = Build::new("shop", "1.4.2")?.with("revision", "8f3c2d1")?;
/// let (set, _) = openmetrics::model::MetricSet::collect_from(&build);
/// assert_eq!(set.families[0].descriptor.name(), &"shop_build_info");
/// assert_eq!(set.families[0].metrics[0].labels.get("version"), Some("1.4.2"));
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Build {
    descriptor: Descriptor,
    labels: LabelSet,
}

impl Build {
    /// The build of `program`, which has to be the beginning of a metric name, at `version`.
    pub fn new(program: &str, version: &str) -> Result<Self, Error> {
        let name = MetricName::new(format!("{program}_build_info"))?;
        // A gauge of value 1, as every exporter has it, since dashboards ask for it by this name and type.
        let descriptor = Descriptor::new(name, MetricType::Gauge)
            .with_help(format!("What {program} was built from; the value is always 1."));
        Ok(Self { descriptor, labels: LabelSet::from_pairs([("version", version)])? })
    }

    /// The same with one more label.
    pub fn with(self, name: &str, value: &str) -> Result<Self, Error> {
        let labels = self.labels.union(&LabelSet::from_pairs([(name, value)])?)?;
        Ok(Self { labels, ..self })
    }

    /// The library's own build.
    #[cfg(feature = "http")]
    pub(crate) fn of_library() -> Option<Self> {
        Self::new("openmetrics_sdk", env!("CARGO_PKG_VERSION")).ok()
    }

    /// The build of the crate called `package`; what a metric name cannot have becomes an underscore.
    #[doc(hidden)]
    pub fn of_package(package: &str, version: &str) -> Self {
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut program: String = package.chars().map(word).collect();
        if !program.starts_with(|c: char| c.is_ascii_alphabetic()) {
            program.insert(0, '_');
        }
        let fallback = || Self {
            descriptor: Descriptor::literal("build_info", MetricType::Gauge, ""),
            labels: LabelSet::EMPTY,
        };
        // Not reached: the name was made valid above, and `version` is a valid label.
        Self::new(&program, version).unwrap_or_else(|_| fallback())
    }
}

impl Collector for Build {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        out.family(&self.descriptor).point(Labels::from(&self.labels), 1_u64);
        Ok(())
    }

    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        families(&self.descriptor);
    }
}

/// A [`Build`](crate::process::Build) of the crate that this stands in, named and versioned by its manifest.
///
/// ```
/// let build = openmetrics::build_info!();
/// let (set, _) = openmetrics::model::MetricSet::collect_from(&build);
/// assert!(set.families[0].descriptor.name().as_str().ends_with("_build_info"));
/// ```
#[macro_export]
macro_rules! build_info {
    () => {
        $crate::process::Build::of_package(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MetricSet;

    #[test]
    fn packages_become_names() {
        for (package, name) in
            [("my-service", "my_service_build_info"), ("7zip", "_7zip_build_info"), ("a.b", "a_b_build_info")]
        {
            let (set, _) = MetricSet::collect_from(&Build::of_package(package, "1.0"));
            assert_eq!(set.families[0].descriptor.name(), &name);
        }
    }

    #[test]
    fn a_label_comes_once() {
        let build = Build::new("a", "1").unwrap();
        assert_eq!(build.clone().with("version", "2").unwrap_err().rule(), Some("OM1-LAB-02"));
        assert!(build.with("no-name", "2").is_err());
        assert!(Build::new("a b", "1").is_err());
    }
}
