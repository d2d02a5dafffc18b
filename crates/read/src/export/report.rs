//! What a decoder of export packets saw.

use std::collections::BTreeMap;

/// The account of export packets beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ExportReport {
    /// Packets given to the decoder.
    pub packets: u64,
    /// Messages by version: 5, 9, or 10 for IPFIX.
    pub messages: BTreeMap<u16, u64>,
    /// Data records that became flow records.
    pub records: u64,
    /// Of these, those without a time of day: it is told from the time of the export. With uptimes,
    /// durations and the order of records still hold.
    pub untimed: u64,
    /// Of these, those that count payload, or bytes without packets: the rest is estimated.
    pub estimated: u64,
    /// Options records: what exporters tell of themselves.
    pub options: u64,
    /// One packet in so many was sampled, as an exporter says; the largest such number.
    ///
    /// Volumes are as exported, not scaled.
    pub sampled_one_in: Option<u64>,
    /// Sets that came before their template and were read when it came.
    pub late_sets: u64,
    /// Sets still without a template.
    pub unread_sets: u64,
    /// Templates that had to make room for others, and exporters for other exporters.
    pub forgotten: u64,
}
