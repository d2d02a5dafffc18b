//! Export packets of routers and probes: NetFlow v5, NetFlow v9 and IPFIX.

mod clock;
mod decoder;
mod fault;
mod fields;
mod framing;
mod reader;
mod report;
mod sampling;
mod socket;
mod template;
mod value;

pub use decoder::ExportDecoder;
pub use fault::ExportFault;
pub use reader::ExportReader;
pub(crate) use reader::recognise;
pub use report::ExportReport;
pub use socket::{ExportSocket, Until};
