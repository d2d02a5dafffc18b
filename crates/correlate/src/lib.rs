//! Interesting regions, host dominance and cross-metric correlation.
