//! Activity: which flow group is present, and newly so, in which window.

use std::net::IpAddr;

use peerscope_flow::{SlotLength, Timestamp};
use thiserror::Error;

use crate::{FlowGroup, Runs};

/// Activity of every flow group of a trace, sparse.
///
/// Window 0 holds the earliest activity. It depends on the set of flows and packets added, not on
/// their order.
#[derive(Clone, Debug)]
pub struct Activity {
    pub(crate) window: SlotLength,
    pub(crate) first_window: i64,
    pub(crate) windows: u32,
    pub(crate) hosts: Vec<IpAddr>,
    pub(crate) groups: Vec<GroupActivity>,
    pub(crate) source: ActivitySource,
}

/// What the activity of a trace was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a pair of counts")]
pub struct ActivitySource {
    /// Flow records: a flow counts as active from its first to its last packet, silence included.
    pub records: u64,
    /// Packet times.
    pub packets: u64,
}

/// Activity of one flow group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupActivity {
    /// The flows it stands for.
    pub group: FlowGroup,
    /// Number of the initiator and the responder among [`Activity::hosts`].
    pub(crate) src: u32,
    pub(crate) dst: u32,
    /// Windows in which one of its flows began, or returned after an idle gap; ascending.
    pub new: Vec<u32>,
    /// Windows with any activity.
    pub present: Runs,
}

/// Why activity cannot be laid out in windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// The trace is longer than 2^32 - 2 windows.
    #[error("activity from {first} us to {last} us does not fit in 2^32 windows of {window} s")]
    TooLong {
        /// The earliest activity.
        first: Timestamp,
        /// The latest activity.
        last: Timestamp,
        /// The window.
        window: SlotLength,
    },
}

impl Activity {
    /// Number of windows from the first to the last activity, both included.
    pub fn windows(&self) -> u32 {
        self.windows
    }

    /// Length of a window.
    pub fn window(&self) -> SlotLength {
        self.window
    }

    /// Start of window 0.
    pub fn start(&self) -> Timestamp {
        self.window
            .start_of(peerscope_flow::SlotIndex(self.first_window))
    }

    /// The flow groups, ascending.
    pub fn groups(&self) -> &[GroupActivity] {
        &self.groups
    }

    /// The hosts, ascending.
    pub fn hosts(&self) -> &[IpAddr] {
        &self.hosts
    }

    /// What it was read from.
    pub fn source(&self) -> ActivitySource {
        self.source
    }
}
