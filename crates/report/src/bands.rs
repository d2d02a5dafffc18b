//! Periods with bytes by application as bands over time.

use std::collections::{BTreeMap, BTreeSet};

use crate::figure::Band;
use crate::model::{Period, Traffic};

/// Points of a band at the most.
const BINS: i128 = 240;

/// Bands over the same bins.
#[derive(Debug, PartialEq)]
pub(crate) struct Bands {
    pub(crate) start_us: i64,
    pub(crate) bin_us: i64,
    pub(crate) all: Vec<Band>,
}

/// One band an application, those with most bytes in both directions first, so that both directions
/// show them alike. Periods that are left out are empty. `None` without a period.
pub(crate) fn bands(
    traffic: &Traffic,
    bytes: impl Fn(&Period) -> &BTreeMap<String, u64>,
) -> Option<Bands> {
    let periods = &traffic.over_time;
    let start = periods.iter().map(|period| period.start_us).min()?;
    let last = periods.iter().map(|period| period.start_us).max()?;
    let length = i128::from(traffic.period_us.max(1));
    let count = (i128::from(last) - i128::from(start)) / length + 1;
    let bin = length * ((count - 1) / BINS + 1);
    let bins = usize::try_from((count * length - 1) / bin + 1).ok()?;

    let labels: BTreeSet<&String> = periods
        .iter()
        .flat_map(|period| period.inbound.keys().chain(period.outbound.keys()))
        .collect();
    let total = |label: &String| -> u128 {
        let of = |all: &BTreeMap<String, u64>| u128::from(all.get(label).copied().unwrap_or(0));
        periods
            .iter()
            .map(|period| of(&period.inbound) + of(&period.outbound))
            .sum()
    };
    let mut labels: Vec<(u128, &String)> = labels
        .into_iter()
        .map(|label| (total(label), label))
        .collect();
    labels.sort_by_key(|&(total, label)| (std::cmp::Reverse(total), label));
    let bands = labels.into_iter().map(|(_, label)| {
        let mut band = Band {
            label: label.clone(),
            bytes: vec![0.0; bins],
        };
        for period in periods {
            let at = (i128::from(period.start_us) - i128::from(start)) / bin;
            let at = usize::try_from(at).unwrap_or(0).min(bins - 1);
            band.bytes[at] += bytes(period).get(label).copied().unwrap_or(0) as f64;
        }
        band
    });
    Some(Bands {
        start_us: start,
        bin_us: i64::try_from(bin).unwrap_or(i64::MAX),
        all: bands.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(starts: &[i64]) -> Traffic {
        let over_time = starts.iter().map(|&start_us| Period {
            start_us,
            inbound: BTreeMap::from([("http".to_owned(), 1), ("emule".to_owned(), 5)]),
            ..Period::default()
        });
        Traffic {
            period_us: 10,
            over_time: over_time.collect(),
            ..Traffic::default()
        }
    }

    #[test]
    fn gaps_are_empty_and_long_traces_coarse() {
        let found = bands(&traffic(&[0, 20]), |period| &period.inbound).unwrap();
        assert_eq!((found.bin_us, found.all[0].label.as_str()), (10, "emule"));
        assert_eq!(found.all[0].bytes, [5.0, 0.0, 5.0]);
        let found = bands(&traffic(&[0, 9990]), |period| &period.inbound).unwrap();
        assert_eq!((found.bin_us, found.all[1].bytes.len()), (50, 200));
        let found = bands(&traffic(&[i64::MIN, i64::MAX]), |period| &period.inbound).unwrap();
        assert!(found.all[0].bytes.len() <= 241);
        assert!(bands(&traffic(&[]), |period| &period.inbound).is_none());
    }
}
