//! What a meter counted, and what it left out and why.

use peerscope_flow::Volume;

/// Why a packet belongs to no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SkipReason {
    /// A link type the decoder does not know.
    UnsupportedLink,
    /// Another network protocol, for example ARP.
    NotIp,
    /// The captured bytes end within a header.
    TruncatedHeader,
    /// A header contradicts itself.
    MalformedHeader,
    /// A later fragment whose first fragment was not seen before it.
    FragmentWithoutFirst,
    /// A later fragment, with [`Fragments::FirstOnly`](crate::Fragments::FirstOnly).
    LaterFragment,
    /// A packet cut by the snap length, with [`CutPackets::Skip`](crate::CutPackets::Skip).
    CutPacket,
    /// A copy of a packet seen just before, with
    /// [`MeterConfig::with_duplicate_window`](crate::MeterConfig::with_duplicate_window).
    Duplicate,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::UnsupportedLink,
        Self::NotIp,
        Self::TruncatedHeader,
        Self::MalformedHeader,
        Self::FragmentWithoutFirst,
        Self::LaterFragment,
        Self::CutPacket,
        Self::Duplicate,
    ];

    /// The reason in lower case, words joined by hyphens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnsupportedLink => "unsupported-link",
            Self::NotIp => "not-ip",
            Self::TruncatedHeader => "truncated-header",
            Self::MalformedHeader => "malformed-header",
            Self::FragmentWithoutFirst => "fragment-without-first",
            Self::LaterFragment => "later-fragment",
            Self::CutPacket => "cut-packet",
            Self::Duplicate => "duplicate",
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Packets left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(from = "std::collections::BTreeMap<SkipReason, u64>"),
    serde(into = "std::collections::BTreeMap<SkipReason, u64>")
)]
pub struct Skipped([u64; SkipReason::ALL.len()]);

impl Skipped {
    /// Packets left out for one reason.
    pub const fn get(&self, reason: SkipReason) -> u64 {
        self.0[reason as usize]
    }

    /// Packets left out for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred, with their packets.
    pub fn iter(&self) -> impl Iterator<Item = (SkipReason, u64)> {
        let counts = SkipReason::ALL.into_iter().zip(self.0);
        counts.filter(|&(_, packets)| packets > 0)
    }

    pub(crate) const fn count(&mut self, reason: SkipReason) {
        self.0[reason as usize] += 1;
    }
}

impl From<std::collections::BTreeMap<SkipReason, u64>> for Skipped {
    fn from(counts: std::collections::BTreeMap<SkipReason, u64>) -> Self {
        let mut skipped = Self::default();
        for (reason, packets) in counts {
            skipped.0[reason as usize] = packets;
        }
        skipped
    }
}

impl From<Skipped> for std::collections::BTreeMap<SkipReason, u64> {
    fn from(skipped: Skipped) -> Self {
        skipped.iter().collect()
    }
}

/// What a meter has seen so far.
///
/// Nothing is lost: `offered.packets` is `metered.packets` plus all that were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MeterReport {
    /// Packets given to the meter and the frame bytes they had on the wire.
    pub offered: Volume,
    /// Packets and bytes that went into flows; bytes are those of
    /// [`ByteCount`](crate::ByteCount).
    pub metered: Volume,
    /// Packets left out, by reason.
    pub skipped: Skipped,
    /// Flows that ended.
    pub flows: u64,
    /// Flows among them that ended early because too many were live.
    pub evicted: u64,
    /// Packets with a time before that of an earlier packet.
    pub out_of_order: u64,
    /// Packets among them that lay back by more than the idle timeout: the clock was set anew.
    pub clock_jumps: u64,
}
