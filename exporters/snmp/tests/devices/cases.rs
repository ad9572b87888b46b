//! Cases: a device, and what has to come of asking it.

use std::any::Any;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use openmetrics_snmp_bridge::asked::Failure;
use openmetrics_snmp_bridge::bridge::{Bridge, Options};
use openmetrics_snmp_bridge::session::Limits;

use super::agent::Agent;
use super::{MODULES, bridge, samples, scrape_for};

/// What has to come of it. There is nothing between these: no page that lacks something without saying so.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// So many samples, each with its value.
    Told(usize),
    /// So many samples, and a count of rows that were left out, by this reason.
    ToldBut(usize, &'static str),
    /// An error once patience is over; it says this of what came instead of an answer.
    Silent(&'static str),
    /// An error at once, with these words.
    Fails(&'static str),
}

/// A device, how it is asked, and what has to come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) target: String,
    pub(crate) auth: &'static str,
    pub(crate) module: &'static str,
    /// In place of the usual limits.
    pub(crate) limits: Option<Limits>,
    pub(crate) outcome: Outcome,
    #[expect(dead_code, reason = "the device answers until its case is dropped")]
    pub(crate) device: Box<dyn Any + Send + Sync>,
}

/// How devices are asked. Where silence is expected it may as well be short; all else has time on a busy machine.
static CONFIG: LazyLock<String> = LazyLock::new(|| {
    let auths = "
auths:
  v1: {version: 1, community: hunter2}
  v2: {version: 2, community: hunter2}
  signed: {version: 3, username: u, security_level: authNoPriv, password: hunter2hunter2, auth_protocol: SHA}
  hidden: {version: 3, username: u, security_level: authPriv, password: hunter2hunter2, auth_protocol: SHA,
           priv_protocol: AES, priv_password: hunter2-hunter2}
modules:
";
    let (_, module) = MODULES.split_once("  table:").unwrap();
    let named = |name: &str, timeout: &str| format!("  {name}:{}", module.replace("300ms", timeout));
    let from_anywhere = "    use_unconnected_udp_socket: true\n";
    [
        auths,
        &named("table", "5s"),
        &named("impatient", "500ms"),
        &named("anywhere", "5s"),
        from_anywhere,
        &named("anywhere_impatient", "500ms"),
        from_anywhere,
    ]
    .concat()
});

/// Shared by most cases, since hashing passwords takes long.
static USUAL: LazyLock<Bridge> = LazyLock::new(|| bridge(&CONFIG, Options::default()));

/// No case may take longer, on the slowest machine.
const LONGEST: Duration = Duration::from_secs(20);

impl Case {
    /// A device over UDP that is asked by a community.
    pub(crate) fn udp(name: &'static str, device: Agent, outcome: Outcome) -> Self {
        Self::new(name, device.address.to_string(), device, outcome)
    }

    /// A device wherever it is.
    pub(crate) fn new(
        name: &'static str,
        target: String,
        device: impl Any + Send + Sync,
        outcome: Outcome,
    ) -> Self {
        let device = Box::new(device);
        let module = if matches!(outcome, Outcome::Silent(_)) { "impatient" } else { "table" };
        Self { name, target, auth: "v2", module, limits: None, outcome, device }
    }

    fn ask(&self) -> Result<String, Failure> {
        let with = |limits| bridge(&CONFIG, Options { limits, ..Options::default() });
        let limited = self.limits.map(with);
        let bridge = limited.as_ref().unwrap_or(&USUAL);
        let query = [("target", self.target.as_str()), ("module", self.module), ("auth", self.auth)];
        scrape_for(bridge, &query, Duration::from_secs(15))
    }

    /// What is wrong, if anything is.
    fn judge(&self) -> Option<String> {
        let begin = Instant::now();
        let came = self.ask();
        let took = begin.elapsed();
        let right = match (self.outcome, &came) {
            (Outcome::Told(count), Ok(page)) => {
                samples(page) == count && !page.contains("\nsnmp_scrape_errors{")
            }
            (Outcome::ToldBut(count, why), Ok(page)) => {
                samples(page) == count && page.contains(&format!("\nsnmp_scrape_errors{{reason=\"{why}\"}} "))
            }
            (Outcome::Silent(words), Err(Failure::Scrape(said))) => {
                said.contains("no answer about ") && said.contains(words)
            }
            (Outcome::Fails(words), Err(Failure::Scrape(said))) => said.contains(words),
            _ => false,
        };
        let told = match &came {
            Ok(page) => format!("{} samples", samples(page)),
            Err(Failure::Scrape(words) | Failure::Request(words)) => words.clone(),
        };
        let is_secret = !told.contains("hunter2");
        (!right || !is_secret || took > LONGEST)
            .then(|| format!("{}: {:?} expected, but after {took:?}: {told}", self.name, self.outcome))
    }
}

/// Asks all devices at the same time: most of it is waiting.
pub(crate) fn judge(cases: &[Case]) {
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let asking: Vec<_> = cases.iter().map(|case| scope.spawn(|| case.judge())).collect();
        asking.into_iter().filter_map(|case| case.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
