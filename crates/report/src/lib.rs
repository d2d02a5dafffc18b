//! Figures and one self-contained page from an analysis of P2P traffic.
//!
//! A [`Report`] is read from the JSON of an analysis, the evidence of its findings and its samples,
//! in memory or from the folder that holds them ([`Report::open`]). [`Report::page`] is a page
//! without any reference to the network: summary, findings with their evidence, systems with their
//! metrics, communication rules if there are some. Values from outside are text in it, never markup. [`figure`] has the figures, each a
//! function of what an analysis holds.
//!
//! ```
//! use peerscope_report::{Report, Samples};
//!
//! let analysis = r#"{
//!     "family": "emule",
//!     "systems": {"kad": {"metrics": {"live-conn-TCP": {
//!         "status": "clustered", "n": 4, "clusters": [{"low": 1, "high": 2, "count": 4}]
//!     }}}}
//! }"#;
//! let samples = "host,slot_start_us,system,live-conn-TCP
//! 10.0.0.1,0,kad,1
//! 10.0.0.1,300000000,kad,1
//! 10.0.0.2,0,kad,2
//! 10.0.0.2,300000000,kad,2
//! ";
//! let samples = Samples::from_csv(samples.as_bytes())?;
//! let report = Report::from_json(analysis.as_bytes(), "{}".as_bytes(), samples)?;
//!
//! assert!(report.page().html.starts_with("<!DOCTYPE html>"));
//! let histogram = report.metric_figure("kad", "live-conn-TCP").ok_or("has values")?;
//! assert!(histogram.figure.svg().contains("live-conn-TCP [flows]"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same analysis gives the same bytes: the report knows no clock, no randomness and no fonts but
//! the one that comes with it for PNG (feature `png`).

mod bands;
mod error;
pub mod figure;
pub mod model;
mod page;
mod report;
mod rule_links;
mod samples;
mod text;

pub use error::ReportError;
pub use figure::Figure;
#[cfg(feature = "png")]
pub use figure::PngError;
pub use page::{Content, Page, SideFile};
pub use report::{NamedFigure, Report};
pub use samples::Samples;
