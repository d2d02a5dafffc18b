//! Communication rules: which flows of a network occur together more often than chance allows,
//! found without being told what to look for.
//!
//! A rule `10.0.0.1.* : 192.0.2.1.80 => 10.0.0.1.* : 192.0.2.2.80` says that when flows of the
//! left group begin, flows of the right one are active in the same second, far more often than in
//! the seconds around. The [`Miner`] turns flows or packets into [`Activity`], tests pairs of flow
//! groups that share an address, and yields a [`RuleSet`] with generic rules (`*.* : S1.p1 =>
//! *.* : S2.p2`) and [`Clusters`]. A [`RuleBook`] holds what is known of a site; a
//! [`StreamMiner`] reports what is not.
//!
//! ```
//! use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};
//! use peerscope_rules::{Miner, Parameters};
//!
//! let miner = Miner::new(Parameters::default())?;
//! let mut activity = miner.activity();
//! let victim = Endpoint::new("10.0.0.7".parse()?, 40_000);
//! for beat in 0..40 {
//!     for other in ["192.0.2.1", "198.51.100.1"] {
//!         activity.push(&Flow::new(
//!             Transport::Tcp,
//!             victim,
//!             Endpoint::new(other.parse()?, 1081),
//!             Span::at(Timestamp::from_secs(1000 + 30 * beat)),
//!         ));
//!     }
//! }
//! let found = miner.mine(&activity.finish()?);
//! assert_eq!(
//!     found.rules[0].to_string(),
//!     "10.0.0.7.* : 192.0.2.1.1081 <=> 10.0.0.7.* : 198.51.100.1.1081"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Method
//!
//! The method follows eXpose (Kandula, Chandra and Katabi, *What's going on? Learning
//! communication rules in edge networks*, SIGCOMM 2008); only its case studies were at hand, so the
//! algorithm is a reconstruction. Ours are: the local baseline and its multiple testing, the
//! margin `min_lift`, starts nearby, company in bursts, beats in step, clumps, the partial
//! conjunction of generic rules, and these readings:
//!
//! - **Score**: the positive part of the J-measure, of X beginning and Y being present.
//! - **Test** ([`Null::LocalBaseline`]): traffic comes in sessions and bursts, so chance is judged
//!   by the seconds around each event, less what begins with it and outlasts them, by starts of Y
//!   shortly before and after, and by who else begins beside X; co-occurrences within one run of Y
//!   count as one. Groups of one host and period are in step only if more of them are than phases
//!   drawn at random would be.
//! - **False discovery rate**: over all pairs that share an address and have enough events of
//!   their own, tested or pruned.
//! - **Generic rules** must hold without their strongest binding. They are counted over a
//!   client's sessions: the windows in which it is active, and those within the baseline's reach.
//!   In a chain, several clients in one window count once.
//!
//! # Limits
//!
//! - A flow record is taken as active from its first to its last packet. A long flow's silence
//!   hides rules about it (an FTP control connection of minutes); packet times do not.
//! - Flows that follow each other by more than the window do not co-occur. The lag profile shows
//!   order and delay of rules found, it finds none.
//! - What happens in every second of a session, or whenever a session begins, cannot be told from
//!   the session.
//! - Two things of one period that keep their phase by chance look like a rule, unless there are
//!   many of that period around a host.
//!
//! The crate opens no files and reads no clock. Feature `serde` adds JSON.

mod activity;
mod any_client;
mod book;
mod bucket;
mod builder;
mod chain;
mod cluster;
mod company;
mod concrete;
mod evidence;
mod generic;
mod group;
mod hypothesis;
mod layout;
mod miner;
mod notation;
mod parameters;
mod peers;
mod phase;
mod pool;
mod ports;
mod rule;
mod runs;
mod score;
mod significance;
mod stream;
mod surroundings;
mod table;
mod touching;

pub use activity::{Activity, ActivityError, ActivitySource, GroupActivity};
#[cfg(feature = "serde")]
pub use book::BookError;
pub use book::{Diff, RuleBook, RuleKey, Strength};
pub use builder::ActivityBuilder;
pub use cluster::Clusters;
pub use concrete::{BucketPairs, SampledBucket};
pub use evidence::Null;
pub use group::{End, FlowGroup};
pub use miner::Miner;
#[cfg(feature = "serde")]
pub use notation::{Report, RuleLine};
pub use parameters::{CandidatePolicy, LeftSide, ParameterError, Parameters, Template};
pub use ports::PortRules;
pub use rule::{Evidence, Rule, RuleSet};
pub use runs::Runs;
pub use score::Counts;
pub use stream::{StreamCounts, StreamMiner};
pub use touching::Touch;
