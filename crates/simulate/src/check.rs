//! Validation of scenarios, once, before anything is built from them.

use crate::ScenarioError;
use crate::address::{MAX_HOSTS, MAX_PEERS, MAX_SYSTEMS};
use crate::scenario::{Background, Scenario, Side, System};

/// Flows of one kind and factors stay below this, so that no sum overflows.
const MAX_COUNT: f64 = 1e12;
/// A year and a day.
const MAX_HOURS: f64 = 8_784.0;
/// Seconds from the epoch that keep microseconds far inside 64 bits.
const MAX_SECS: i64 = 1 << 40;

impl Scenario {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// If a value makes no sense; the error names its field.
    pub fn check(&self) -> Result<(), ScenarioError> {
        within(
            "hours",
            self.hours,
            f64::MIN_POSITIVE,
            MAX_HOURS,
            "more than 0 and at most 8784 hours",
        )?;
        within(
            "traffic",
            self.traffic,
            0.0,
            1e6,
            "a factor from 0 to 1000000",
        )?;
        if self.start_secs.abs() > MAX_SECS {
            let expected = "seconds since the epoch, at most 2^40 away from it";
            return Err(value("start_secs", self.start_secs as f64, expected));
        }
        for (hour, &weight) in self.diurnal.iter().enumerate() {
            within(
                &format!("diurnal[{hour}]"),
                weight,
                0.0,
                MAX_COUNT,
                "a weight from 0",
            )?;
        }
        if self.diurnal.iter().sum::<f64>() <= 0.0 {
            return Err(value("diurnal", 0.0, "weights that are not all 0"));
        }
        if self.systems.len() > MAX_SYSTEMS {
            return Err(ScenarioError::TooManySystems(self.systems.len()));
        }
        for (i, system) in self.systems.iter().enumerate() {
            if self.systems[..i]
                .iter()
                .any(|earlier| earlier.protocol == system.protocol)
            {
                return Err(ScenarioError::DuplicateSystem(i));
            }
            check_system(system, &format!("system[{i}]"))?;
        }
        let background = self.background.map_or(0, |background| background.hosts);
        let hosts = self
            .systems
            .iter()
            .map(|system| u64::from(system.hosts))
            .sum::<u64>();
        let hosts = hosts + u64::from(background);
        if hosts > u64::from(MAX_HOSTS) {
            return Err(ScenarioError::TooManyHosts(hosts));
        }
        if let Some(background) = &self.background {
            check_background(background)?;
        }
        for (index, planted) in self.planted.iter().enumerate() {
            let name = planted.protocol();
            if !self.systems.iter().any(|system| system.protocol == name) {
                let (kind, system) = (planted.kind(), name.system());
                return Err(ScenarioError::UnknownSystem {
                    index,
                    kind,
                    system,
                });
            }
            planted.check(&format!("planted[{index}]"), self.hours)?;
        }
        Ok(())
    }
}

fn check_system(system: &System, path: &str) -> Result<(), ScenarioError> {
    let sessions = system.sessions;
    let at = |field: &str| format!("{path}.{field}");
    within(
        &at("sessions.per_host"),
        sessions.per_host,
        1.0,
        100.0,
        "from 1 to 100 sessions",
    )?;
    within(
        &at("sessions.mean_hours"),
        sessions.mean_hours,
        0.1,
        MAX_HOURS,
        "from 0.1 to 8784 hours",
    )?;
    within(&at("sessions.sigma"), sessions.sigma, 0.0, 3.0, SIGMA)?;
    within(
        &at("activity_sigma"),
        system.activity_sigma,
        0.0,
        3.0,
        SIGMA,
    )?;
    within(
        &at("activity_max"),
        system.activity_max,
        1.0,
        f64::INFINITY,
        "a factor from 1",
    )?;
    share(&at("random_ports"), system.random_ports)?;
    share(&at("server_sessions"), system.server_sessions)?;
    for (zone, side) in [
        ("provider", &system.provider),
        ("internet", &system.internet),
    ] {
        if let Some(side) = side {
            check_side(side, &at(zone))?;
        }
    }
    match &system.internet {
        Some(side) if side.tcp_in > 0.0 => {
            let expected = "0: the provider's NAT lets no TCP in from the Internet";
            Err(value(&at("internet.tcp_in"), side.tcp_in, expected))
        }
        _ => Ok(()),
    }
}

fn check_side(side: &Side, path: &str) -> Result<(), ScenarioError> {
    let at = |field: &str| format!("{path}.{field}");
    let expected = "from 1000 to 1048576 peers, so that none comes again within minutes";
    within(
        &at("peers"),
        f64::from(side.peers),
        1_000.0,
        f64::from(MAX_PEERS),
        expected,
    )?;
    let shares = [
        ("random_ports", side.random_ports),
        ("reserved_ports", side.reserved_ports),
        (
            "random_ports + reserved_ports",
            side.random_ports + side.reserved_ports,
        ),
        ("data_share", side.data_share),
        ("sent_share", side.sent_share),
        ("silent", side.silent),
    ];
    shares
        .iter()
        .try_for_each(|(field, v)| share(&at(field), *v))?;
    within(
        &at("stale"),
        side.stale,
        0.0,
        0.99,
        "a share from 0 to 0.99",
    )?;
    let counts = [
        ("udp_out", side.udp_out),
        ("udp_in", side.udp_in),
        ("tcp_out", side.tcp_out),
        ("tcp_in", side.tcp_in),
        ("tcp_bytes", side.tcp_bytes),
    ];
    counts
        .iter()
        .try_for_each(|(field, v)| count(&at(field), *v))
}

fn check_background(background: &Background) -> Result<(), ScenarioError> {
    let counts = [
        ("web", background.web),
        ("web_bytes", background.web_bytes),
        ("dns", background.dns),
        ("udp_in_answered", background.udp_in_answered),
        ("udp_in_unanswered", background.udp_in_unanswered),
        ("tcp_in", background.tcp_in),
        ("tcp_in_failed", background.tcp_in_failed),
    ];
    counts
        .iter()
        .try_for_each(|(field, v)| count(&format!("background.{field}"), *v))
}

const SIGMA: &str = "a spread from 0 to 3";

/// Refuses NaN too: it lies in no range.
pub(crate) fn within(
    field: &str,
    v: f64,
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), ScenarioError> {
    if (low..=high).contains(&v) {
        Ok(())
    } else {
        Err(value(field, v, expected))
    }
}

pub(crate) fn share(field: &str, v: f64) -> Result<(), ScenarioError> {
    within(field, v, 0.0, 1.0, "a share from 0 to 1")
}

pub(crate) fn count(field: &str, v: f64) -> Result<(), ScenarioError> {
    within(field, v, 0.0, MAX_COUNT, "a number from 0 to 1e12")
}

fn value(field: &str, value: f64, expected: &'static str) -> ScenarioError {
    ScenarioError::Value {
        field: field.to_owned(),
        value,
        expected,
    }
}
