//! Figures that somebody else keeps: read them at the scrape. Read first, emit after: when reading fails, no half of a
//! family leaves the process, and the rest of the page is there all the same.
//!
//!     cargo run --example custom_collector -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType};
use openmetrics::registry::Registry;

/// The pools of a server, as it reports them: a name, how many are in use, how many there are.
struct Pools {
    report: &'static str,
}

static IN_USE: Descriptor =
    Descriptor::literal("pool_connections_in_use", MetricType::Gauge, "Connections in use.");
static SIZE: Descriptor =
    Descriptor::literal("pool_connections", MetricType::Gauge, "Connections there are.");

impl Collector for Pools {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let pools = self.report.lines().map(parse).collect::<Result<Vec<_>, _>>()?;

        let mut family = out.family(&IN_USE);
        for (name, in_use, _) in &pools {
            family.point(Labels::new(&[("pool", name)]), *in_use);
        }
        let mut family = out.family(&SIZE);
        for (name, _, size) in &pools {
            family.point(Labels::new(&[("pool", name)]), *size);
        }
        Ok(())
    }

    // Tells the registry which names are taken, so that a clash is an error at registration.
    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        families(&IN_USE);
        families(&SIZE);
    }
}

/// `orders 3/10`
fn parse(line: &str) -> Result<(&str, u64, u64), String> {
    let parts = line.split_once(' ').and_then(|(name, rest)| {
        let (in_use, size) = rest.split_once('/')?;
        Some((name, in_use.parse().ok()?, size.parse().ok()?))
    });
    parts.ok_or_else(|| format!("{line:?} is no line of the pool report"))
}

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    registry.register_collector("pools", Pools { report: "orders 3/10\ncustomers 0/5" })?;
    assert!(registry.gauge("pool_connections", "A name that is taken.").is_err());

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

// Output:
// # TYPE pool_connections_in_use gauge
// # HELP pool_connections_in_use Connections in use.
// pool_connections_in_use{pool="orders"} 3
// pool_connections_in_use{pool="customers"} 0
// # TYPE pool_connections gauge
// # HELP pool_connections Connections there are.
// pool_connections{pool="orders"} 10
// pool_connections{pool="customers"} 5
// # EOF
