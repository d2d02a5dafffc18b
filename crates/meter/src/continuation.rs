//! Labels for the later parts of a TCP connection that the idle timeout cut into several flows.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::Application;

use crate::key::Key;

/// The applications of TCP connections whose flows timed out without being closed.
///
/// An idle timeout ends a flow, not the connection: what follows on the same 5-tuple without a new
/// SYN is the rest of it, and often holds nothing but keep-alives. The latest
/// [`LIMIT`](Self::LIMIT) connections are remembered.
#[derive(Debug, Default)]
pub(crate) struct Interrupted {
    applications: HashMap<Key, Application, RandomState>,
    /// Holds forgotten keys too, until their turn comes.
    order: VecDeque<Key>,
}

impl Interrupted {
    const LIMIT: usize = 1 << 16;

    pub(crate) fn remember(&mut self, key: Key, application: Application) {
        if self.applications.insert(key, application).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > Self::LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.applications.remove(&oldest);
        }
    }

    pub(crate) fn application(&self, key: &Key) -> Option<Application> {
        self.applications.get(key).cloned()
    }

    /// A new SYN begins another connection.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.applications.remove(key);
    }
}
