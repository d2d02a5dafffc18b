//! Peer-to-peer families as data: which flows are of interest, and what a sample is called.

use thiserror::Error;

use crate::{Application, Flow, Handshake, PortRange, Transport};

/// A peer-to-peer system as users run it: labels, control labels with the system each implies, and
/// default TCP ports.
///
/// A flow is of interest if it carries one of the family's labels, or if it is an unlabelled TCP
/// flow whose handshake failed on one of the default ports (no payload can be seen then).
///
/// Users define their own, in code or (feature `serde`) in TOML:
///
/// ```toml
/// name = "gnutella"
/// labels = ["gnutella"]        # left out: every flow
/// tcp_ports = ["6346-6349"]
/// # system = "gnutella"        # what samples are called; default: the family's name
/// # control = { label = "system" }   # UDP labels that name the system instead
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "RawFamily", into = "RawFamily"))]
pub struct Family {
    name: String,
    labels: Option<Vec<Application>>,
    control: Vec<(Application, SystemId)>,
    tcp_ports: Vec<PortRange>,
    systems: Vec<String>,
}

/// Index of a system in [`Family::systems`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SystemId(pub u8);

/// Why a family definition is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FamilyError {
    /// The family has no name.
    #[error("a family must have a name")]
    NoName,
    /// A control label is not among the labels, so its flows would never be of interest.
    #[error("control label {0:?} is not one of the family's labels")]
    ControlNotLabelled(String),
    /// A system is named like one of the reserved ones, `mixed` and `<family>-only`, or is empty.
    #[error("system name {0:?} is empty or reserved")]
    ReservedSystem(String),
    /// More systems than a byte can count.
    #[error("a family has at most {limit} systems, not {0}", limit = Family::MAX_CONTROL_SYSTEMS)]
    TooManySystems(usize),
}

/// What a flow of interest says about the system of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interest {
    /// The system that a control-labelled UDP flow implies.
    pub control: Option<SystemId>,
}

impl Family {
    /// Limit on the number of control systems of one family.
    pub const MAX_CONTROL_SYSTEMS: usize = 32;

    /// A family from its parts.
    ///
    /// * `labels`: the application labels of the family; `None` makes every flow one of interest.
    /// * `control`: UDP control labels and the system each implies.
    /// * `tcp_ports`: default ports, for failed attempts without payload.
    ///
    /// # Errors
    ///
    /// If the name is empty, a control label is not among the labels, or a system's name is empty
    /// or reserved.
    pub fn new(
        name: &str,
        labels: Option<Vec<Application>>,
        control: &[(Application, &str)],
        tcp_ports: Vec<PortRange>,
    ) -> Result<Self, FamilyError> {
        Self::with_system_name(name, name, labels, control, tcp_ports)
    }

    fn with_system_name(
        name: &str,
        system: &str,
        labels: Option<Vec<Application>>,
        control: &[(Application, &str)],
        tcp_ports: Vec<PortRange>,
    ) -> Result<Self, FamilyError> {
        if name.is_empty() {
            return Err(FamilyError::NoName);
        }
        let only = format!("{name}-only");
        let mut systems: Vec<String> = Vec::new();
        let mut ids = Vec::new();
        for (label, system) in control {
            if labels
                .as_ref()
                .is_some_and(|labels| !labels.contains(label))
            {
                return Err(FamilyError::ControlNotLabelled(label.to_string()));
            }
            if system.is_empty() || *system == MIXED || *system == only {
                return Err(FamilyError::ReservedSystem((*system).to_owned()));
            }
            let known = systems.iter().position(|name| name == system);
            let index = known.unwrap_or_else(|| {
                systems.push((*system).to_owned());
                systems.len() - 1
            });
            let id = u8::try_from(index)
                .ok()
                .filter(|&id| usize::from(id) < Self::MAX_CONTROL_SYSTEMS);
            let id = id.ok_or(FamilyError::TooManySystems(systems.len()))?;
            ids.push((label.clone(), SystemId(id)));
        }
        if ids.is_empty() {
            if system.is_empty() {
                return Err(FamilyError::ReservedSystem(String::new()));
            }
            systems.push(system.to_owned());
        } else {
            systems.extend([MIXED.to_owned(), only]);
        }
        Ok(Self {
            name: name.to_owned(),
            labels,
            control: ids,
            tcp_ports,
            systems,
        })
    }

    /// eMule with its Kad and KadU control networks.
    pub fn emule() -> Self {
        use Application::{EMule, Kad, KadU};
        Self {
            name: "emule".to_owned(),
            labels: Some(vec![EMule, Kad, KadU]),
            control: vec![(Kad, SystemId(0)), (KadU, SystemId(1))],
            tcp_ports: vec![PortRange::single(4662)],
            systems: ["kad", "kadu", MIXED, "emule-only"]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    /// BitTorrent: every sample is of one system.
    pub fn bittorrent() -> Self {
        let ports = PortRange::new(6881, 6889).unwrap_or(PortRange::single(6881));
        Self::of_one_system(
            "bittorrent",
            "bittorrent",
            Some(Application::BitTorrent),
            vec![ports],
        )
    }

    /// Direct Connect.
    pub fn dcpp() -> Self {
        let ports = vec![PortRange::single(411), PortRange::single(412)];
        Self::of_one_system("dcpp", "dcpp", Some(Application::Dcpp), ports)
    }

    /// Every flow, labelled or not.
    pub fn any() -> Self {
        Self::of_one_system("any", "all", None, vec![PortRange::ALL])
    }

    /// The built-in families: eMule, BitTorrent, DC++ and any.
    pub fn built_in() -> [Self; 4] {
        [Self::emule(), Self::bittorrent(), Self::dcpp(), Self::any()]
    }

    fn of_one_system(
        name: &str,
        system: &str,
        label: Option<Application>,
        tcp_ports: Vec<PortRange>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            labels: label.map(|label| vec![label]),
            control: Vec::new(),
            tcp_ports,
            systems: vec![system.to_owned()],
        }
    }

    /// The family's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The application labels; `None` if every flow is one of the family's.
    pub fn labels(&self) -> Option<&[Application]> {
        self.labels.as_deref()
    }

    /// The default TCP ports.
    pub fn tcp_ports(&self) -> &[PortRange] {
        &self.tcp_ports
    }

    /// Names of the systems a sample can be labelled with, indexed by [`SystemId`]: for a family
    /// with control labels their systems, then `mixed` and `<family>-only`.
    pub fn systems(&self) -> &[String] {
        &self.systems
    }

    /// The name of a system.
    ///
    /// # Panics
    ///
    /// If the id is of another family with more systems.
    pub fn system_name(&self, id: SystemId) -> &str {
        &self.systems[usize::from(id.0)]
    }

    /// The id of a system by its name.
    pub fn system_id(&self, name: &str) -> Option<SystemId> {
        let index = self.systems.iter().position(|system| system == name)?;
        u8::try_from(index).ok().map(SystemId)
    }

    /// Whether samples of a system are clustered; mixed and control-less ones are only counted.
    pub fn is_clustered(&self, id: SystemId) -> bool {
        self.control.is_empty() || usize::from(id.0) + 2 < self.systems.len()
    }

    /// The system of a sample, from the set of control systems seen in it (bit i = system i).
    pub fn system_of(&self, control_systems: u32) -> SystemId {
        #[expect(clippy::cast_possible_truncation, reason = "at most 34 systems")]
        let count = self.systems.len() as u8;
        match (self.control.is_empty(), control_systems.count_ones()) {
            (true, _) => SystemId(0),
            (false, 0) => SystemId(count - 1),
            #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
            (false, 1) => SystemId(control_systems.trailing_zeros() as u8),
            (false, _) => SystemId(count - 2),
        }
    }

    /// Whether a flow is of interest to the family, and what it says about the host's system.
    #[inline]
    pub fn interest(&self, flow: &Flow) -> Option<Interest> {
        let interesting = match (&self.labels, &flow.app) {
            (None, _) => true,
            (Some(labels), Some(app)) => labels.contains(app),
            (Some(_), None) => {
                flow.transport == Transport::Tcp
                    && flow.handshake == Some(Handshake::Failed)
                    && self
                        .tcp_ports
                        .iter()
                        .any(|range| range.contains(flow.dst.port))
            }
        };
        let control = || {
            let app = flow
                .app
                .as_ref()
                .filter(|_| flow.transport == Transport::Udp)?;
            self.control
                .iter()
                .find(|(label, _)| label == app)
                .map(|&(_, system)| system)
        };
        interesting.then(|| Interest { control: control() })
    }
}

const MIXED: &str = "mixed";

#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFamily {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<Application>>,
    #[serde(default)]
    tcp_ports: Vec<PortRange>,
    #[serde(default)]
    control: std::collections::BTreeMap<String, String>,
}

#[cfg(feature = "serde")]
impl TryFrom<RawFamily> for Family {
    type Error = FamilyError;

    fn try_from(raw: RawFamily) -> Result<Self, FamilyError> {
        let control: Vec<(Application, &str)> = raw
            .control
            .iter()
            .map(|(label, system)| {
                let app = label
                    .parse()
                    .map_err(|_| FamilyError::ControlNotLabelled(label.clone()));
                Ok((app?, system.as_str()))
            })
            .collect::<Result<_, _>>()?;
        let system = raw.system.as_deref().unwrap_or(&raw.name);
        Self::with_system_name(&raw.name, system, raw.labels, &control, raw.tcp_ports)
    }
}

#[cfg(feature = "serde")]
impl From<Family> for RawFamily {
    fn from(family: Family) -> Self {
        let control = family
            .control
            .iter()
            .map(|(label, id)| (label.to_string(), family.system_name(*id).to_owned()))
            .collect();
        let system = family.control.is_empty().then(|| family.systems[0].clone());
        Self {
            name: family.name,
            system,
            labels: family.labels,
            tcp_ports: family.tcp_ports,
            control,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, Span, Timestamp};

    fn flow(transport: Transport, port: u16, app: Option<Application>) -> Flow {
        let end = |port| Endpoint::new("192.0.2.1".parse().unwrap(), port);
        Flow {
            app,
            ..Flow::new(
                transport,
                end(9),
                end(port),
                Span::at(Timestamp::from_secs(0)),
            )
        }
    }

    #[test]
    fn labels_decide_and_failed_attempts_on_default_ports_count() {
        let emule = Family::emule();
        let kad = emule
            .interest(&flow(Transport::Udp, 53, Some(Application::Kad)))
            .unwrap();
        assert_eq!(kad.control, Some(SystemId(0)));
        let tcp = emule
            .interest(&flow(Transport::Tcp, 80, Some(Application::Kad)))
            .unwrap();
        assert_eq!(tcp.control, None, "control labels speak on UDP only");
        assert!(emule.interest(&flow(Transport::Udp, 4672, None)).is_none());

        let mut attempt = flow(Transport::Tcp, 4662, None);
        assert!(emule.interest(&attempt).is_none());
        attempt.handshake = Some(Handshake::Failed);
        assert!(emule.interest(&attempt).is_some());
        attempt.app = Some(Application::Http);
        assert!(emule.interest(&attempt).is_none());
        assert!(Family::any().interest(&attempt).is_some());
    }

    #[test]
    fn samples_take_the_name_of_their_control_traffic() {
        let emule = Family::emule();
        let name = |mask| emule.system_name(emule.system_of(mask));
        assert_eq!(
            [name(0), name(1), name(2), name(3)],
            ["emule-only", "kad", "kadu", "mixed"]
        );
        let clustered = |name| emule.is_clustered(emule.system_id(name).unwrap());
        assert!(clustered("kad") && clustered("kadu"));
        assert!(!clustered("mixed") && !clustered("emule-only"));
        assert_eq!(Family::any().system_name(Family::any().system_of(0)), "all");
        assert!(Family::dcpp().is_clustered(SystemId(0)));
    }

    #[test]
    fn definitions_are_checked() {
        let labels = || Some(vec![Application::EMule]);
        let control = [(Application::Kad, "kad")];
        let family =
            |name, control: &[(Application, &str)]| Family::new(name, labels(), control, vec![]);
        assert_eq!(family("", &[]), Err(FamilyError::NoName));
        assert!(matches!(
            family("x", &control),
            Err(FamilyError::ControlNotLabelled(_))
        ));
        let reserved = [(Application::EMule, "mixed")];
        assert!(matches!(
            family("x", &reserved),
            Err(FamilyError::ReservedSystem(_))
        ));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn families_round_trip_through_toml() {
        for family in Family::built_in() {
            let text = serde_json::to_string(&family).unwrap();
            assert_eq!(serde_json::from_str::<Family>(&text).unwrap(), family);
        }
        let text = "name = 'gnutella'\nlabels = ['gnutella']\ntcp_ports = ['6346-6349']";
        let family: Family = toml::from_str(text).unwrap();
        assert_eq!(family.systems(), ["gnutella"]);
        assert!(toml::from_str::<Family>("name = 'x'\nlabel = ['y']").is_err());
    }
}
