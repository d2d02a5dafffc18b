//! What most programs need: `use peerscope::prelude::*;`.

pub use crate::cluster::{Dbscan1d, MinPoints, Radius, Search, SortedValues};
pub use crate::correlate::{CorrelateConfig, Correlation, Rules};
pub use crate::flow::{
    Application, Endpoint, Family, Flow, Handshake, InitiatorEvidence, SlotLength, Span, Timestamp,
    Topology, Transport, Volume, Zone,
};
pub use crate::meter::{Capture, Meter, MeterConfig};
pub use crate::metric::{Metric, MetricSet, SampleTable};
pub use crate::read::{Policy, ReadOptions, Source};
pub use crate::slot::{Aggregation, aggregate};
pub use crate::{Analysis, FlowFiles, Pipeline, Session};
