//! Flow groups: what stands on either side of a rule.

use std::fmt;
use std::net::IpAddr;

use peerscope_flow::Transport;

/// One end of a flow group; `None` is the wildcard `*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data, built by users")]
pub struct End {
    /// Address; `None` only in generic rules.
    pub ip: Option<IpAddr>,
    /// Port; `None` for ephemeral ports. Protocols without ports have port 0.
    pub port: Option<u16>,
}

/// All flows between two ends over one transport, initiator first, their ephemeral ports taken
/// together.
///
/// Displayed as in the eXpose paper: `10.0.0.1.* : 192.0.2.1.80`, with the protocol's number
/// appended where it is neither TCP nor UDP (`10.0.0.1.0 : 192.0.2.1.0 : 1`). The alternate form
/// `{:#}` always appends it.
///
/// ```
/// use peerscope_flow::Transport;
/// use peerscope_rules::{End, FlowGroup};
///
/// let group = FlowGroup {
///     transport: Transport::Udp,
///     src: End::default(),
///     dst: End { ip: Some("192.0.2.53".parse()?), port: Some(53) },
/// };
/// assert_eq!(group.to_string(), "*.* : 192.0.2.53.53");
/// assert_eq!(format!("{group:#}"), "*.* : 192.0.2.53.53 : 17");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data, built by users")]
pub struct FlowGroup {
    /// The initiator's end.
    pub src: End,
    /// The responder's end.
    pub dst: End,
    /// Protocol above IP.
    pub transport: Transport,
}

impl FlowGroup {
    /// The group with any initiator address.
    #[must_use]
    pub const fn any_src(self) -> Self {
        Self {
            src: End {
                ip: None,
                port: self.src.port,
            },
            ..self
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => ip.fmt(f)?,
            None => f.write_str("*")?,
        }
        match self.port {
            Some(port) => write!(f, ".{port}"),
            None => f.write_str(".*"),
        }
    }
}

impl fmt::Display for FlowGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} : {}", self.src, self.dst)?;
        if f.alternate() || matches!(self.transport, Transport::Other(_)) {
            write!(f, " : {}", self.transport.number())?;
        }
        Ok(())
    }
}
