//! The ground truth of a simulated trace.
#![doc = include_str!("../TRUTH.md")]

use std::io;
use std::net::IpAddr;

use peerscope_flow::{Timestamp, Zone};
use serde::{Deserialize, Serialize};

use crate::host::Window;
use crate::planted::PlantedKind;

/// Everything that is known about a trace; as JSON it is `truth.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Name of this layout: [`Truth::SCHEMA`].
    pub schema: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Begin of the trace.
    pub start_us: Timestamp,
    /// End of the trace.
    pub end_us: Timestamp,
    /// Flows given so far: all of them once the simulation is at its end.
    pub flows: u64,
    /// Monitored hosts.
    pub hosts: Vec<TrueHost>,
    /// Planted behaviours that gave at least one flow, by `id`.
    pub planted: Vec<TruePlanted>,
}

/// A monitored host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrueHost {
    /// Its address.
    pub ip: IpAddr,
    /// Where it is.
    pub zone: Zone,
    /// What its samples should be called; none without a peer-to-peer client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The planted behaviour that is its role, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<PlantedKind>,
    /// Port of its UDP flows; 0 without a client.
    pub udp_port: u16,
    /// Port of its incoming TCP connections; 0 without a client.
    pub tcp_port: u16,
    /// When it is online.
    pub sessions: Vec<Session>,
}

/// A stretch of time that a host is online.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Begin.
    pub start_us: Timestamp,
    /// End, not included.
    pub end_us: Timestamp,
}

/// A planted behaviour as it came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruePlanted {
    /// Number that [`Cause`] refers to.
    pub id: PlantedId,
    /// What it is.
    pub kind: PlantedKind,
    /// System of its hosts.
    pub system: String,
    /// Monitored hosts that gave or got at least one of its flows.
    pub hosts: Vec<IpAddr>,
    /// Victims, servers or the peer, where the kind has some.
    pub peers: Vec<IpAddr>,
    /// Ports that it is about, where the kind has some.
    pub ports: Vec<u16>,
    /// When it begins; for a departure the departure.
    pub start_us: Timestamp,
    /// When it ends.
    pub end_us: Timestamp,
    /// As in the scenario.
    pub intensity: f64,
    /// What a detector should see.
    pub expected: String,
    /// Its flows so far.
    pub flows: u64,
}

impl Truth {
    /// The name of the layout; the number changes when a reader would have to.
    pub const SCHEMA: &str = "peerscope-truth-1";
}

/// Number of a planted behaviour in the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlantedId(pub u32);

/// Why there is a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data; a new field is a new layout"
)]
pub struct Cause {
    /// What the host was doing.
    pub activity: Activity,
    /// The planted behaviour that the flow is part of.
    pub planted: Option<PlantedId>,
}

/// What a host was doing when a flow began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Activity {
    /// Asking a contact whether it is still there.
    Hello,
    /// Searching.
    Search,
    /// Publishing.
    Publish,
    /// Answering an outside peer over UDP.
    Call,
    /// Trying to connect to a peer that is gone.
    Attempt,
    /// Exchanging control messages over TCP.
    Control,
    /// Receiving data.
    Download,
    /// Sending data.
    Upload,
    /// Connected to a peer that says nothing.
    Silent,
    /// Connected to a central server.
    Server,
    /// Looking up a name.
    Dns,
    /// Browsing.
    Web,
    /// Contacted from the provider's network, by something that is not peer-to-peer.
    Background,
    /// Absent for a while, and contacted.
    Away,
    /// Gone for good, and contacted.
    Stale,
    /// Behind a NAT, and contacted.
    Natted,
    /// Contacting a victim.
    Poisoned,
    /// Trying a bad server.
    BadServer,
    /// Contacted by the peer that cannot keep its connection.
    Buddy,
}

impl Activity {
    /// The name that files use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Search => "search",
            Self::Publish => "publish",
            Self::Call => "call",
            Self::Attempt => "attempt",
            Self::Control => "control",
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Silent => "silent",
            Self::Server => "server",
            Self::Dns => "dns",
            Self::Web => "web",
            Self::Background => "background",
            Self::Away => "away",
            Self::Stale => "stale",
            Self::Natted => "natted",
            Self::Poisoned => "poisoned",
            Self::BadServer => "bad-server",
            Self::Buddy => "buddy",
        }
    }
}

/// Writes `truth_flows.csv`: the cause of every flow, as runs of equal causes.
///
/// Columns `first,last,activity,planted`: the flows `first..=last`, counted from 0 in the order of
/// the flow file, have this activity and are part of this planted behaviour (empty: of none).
///
/// ```
/// use peerscope_simulate::{CauseWriter, Scenario, Simulation};
///
/// let mut causes = CauseWriter::new(Vec::new())?;
/// for simulated in Simulation::new(&Scenario::preset("tiny")?, 1)? {
///     causes.write(simulated.cause)?;
/// }
/// let text = String::from_utf8(causes.finish()?)?;
/// assert!(text.starts_with("first,last,activity,planted\n0,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CauseWriter<W> {
    out: W,
    /// First flow of the run that is open, and its cause.
    run: Option<(u64, Cause)>,
    next: u64,
}

impl<W: io::Write> CauseWriter<W> {
    /// A writer that begins with the header. It writes a line at a time: give it a buffer.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"first,last,activity,planted\n")?;
        Ok(Self {
            out,
            run: None,
            next: 0,
        })
    }

    /// Adds the cause of the next flow.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn write(&mut self, cause: Cause) -> io::Result<()> {
        if self.run.is_none_or(|(_, open)| open != cause) {
            self.close()?;
            self.run = Some((self.next, cause));
        }
        self.next += 1;
        Ok(())
    }

    /// Ends the last run and gives the output back, flushed.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.close()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn close(&mut self) -> io::Result<()> {
        let Some((first, cause)) = self.run.take() else {
            return Ok(());
        };
        let (last, activity) = (self.next - 1, cause.activity.as_str());
        match cause.planted {
            Some(PlantedId(id)) => writeln!(self.out, "{first},{last},{activity},{id}"),
            None => writeln!(self.out, "{first},{last},{activity},"),
        }
    }
}

/// A planted behaviour under way.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Position among the scenario's planted behaviours.
    pub(crate) index: usize,
    pub(crate) window: Window,
    pub(crate) peers: Vec<IpAddr>,
    pub(crate) ports: Vec<u16>,
}

impl Entry {
    pub(crate) const fn new(index: usize, window: Window) -> Self {
        Self {
            index,
            window,
            peers: Vec::new(),
            ports: Vec::new(),
        }
    }
}
