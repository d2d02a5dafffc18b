//! The samples behind an analysis, by metric.

use std::io::Read;

use peerscope_cluster::SortedValues;
use peerscope_metric::{Metric, SampleKey, SampleTable};

use crate::ReportError;

/// The values of every metric of every sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    systems: Vec<String>,
    metrics: Vec<String>,
    units: Vec<String>,
    /// One column a metric; not a number where undefined.
    columns: Vec<Vec<f64>>,
}

/// Columns before the metrics in a file of samples.
const KEYS: [&str; 3] = ["host", "slot_start_us", "system"];

impl Samples {
    /// Reads a samples file.
    ///
    /// # Errors
    ///
    /// With line, column and value if the text is not the CSV that
    /// [`SampleTable::write_csv`](peerscope_metric::SampleTable::write_csv) writes.
    pub fn from_csv(text: impl Read) -> Result<Self, ReportError> {
        let mut reader = csv::ReaderBuilder::new().from_reader(text);
        let header = reader.headers()?.clone();
        if header.len() < KEYS.len() || header.iter().zip(KEYS).any(|(found, key)| found != key) {
            let found = header.iter().take(KEYS.len()).collect::<Vec<_>>().join(",");
            return Err(ReportError::Header(crate::text::cut(&found, 80)));
        }
        let metrics: Vec<String> = header.iter().skip(KEYS.len()).map(str::to_owned).collect();
        let mut samples = Self {
            units: metrics.iter().map(|name| unit(name)).collect(),
            columns: vec![Vec::new(); metrics.len()],
            metrics,
            systems: Vec::new(),
        };
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record)? {
            samples.systems.push(record[2].to_owned());
            let cells = record.iter().skip(KEYS.len());
            for (metric, (cell, column)) in cells.zip(&mut samples.columns).enumerate() {
                let value = match cell {
                    "" => Some(f64::NAN),
                    _ => cell.parse().ok().filter(|value: &f64| value.is_finite()),
                };
                let bad = || ReportError::Value {
                    line: record.position().map_or(0, csv::Position::line),
                    column: samples.metrics[metric].clone(),
                    value: crate::text::cut(cell, 80),
                };
                column.push(value.ok_or_else(bad)?);
            }
        }
        Ok(samples)
    }

    /// The samples of a table in memory.
    pub fn from_table(table: &SampleTable) -> Self {
        let column = |metric| {
            let value = |row| table.value(row, metric).unwrap_or(f64::NAN);
            (0..table.len()).map(value).collect()
        };
        let system = |key: SampleKey| table.system_name(key.system).to_owned();
        Self {
            systems: table.keys().map(system).collect(),
            metrics: table.metrics().to_vec(),
            units: table.units().to_vec(),
            columns: (0..table.metrics().len()).map(column).collect(),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.systems.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.systems.is_empty()
    }

    /// The defined values of a metric in a system, ascending; none if either is not known.
    pub fn values(&self, system: &str, metric: &str) -> Vec<f64> {
        let Some(column) = self.metrics.iter().position(|name| name == metric) else {
            return Vec::new();
        };
        let of_system = self.systems.iter().zip(&self.columns[column]);
        let mut values: Vec<f64> = of_system
            .filter(|(name, value)| *name == system && !value.is_nan())
            .map(|(_, value)| *value)
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    /// The same for the parameters of clustering.
    pub(crate) fn sorted(&self, system: &str, metric: &str) -> Option<SortedValues> {
        SortedValues::new(self.values(system, metric)).ok()
    }

    /// The unit of a metric; empty for one that is not of the catalogue.
    pub fn unit(&self, metric: &str) -> &str {
        let found = self.metrics.iter().position(|name| name == metric);
        found.map_or("", |column| self.units[column].as_str())
    }
}

fn unit(metric: &str) -> String {
    let known = metric.parse::<Metric>();
    known.map_or_else(|_| String::new(), |metric| metric.unit().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "host,slot_start_us,system,live-conn-TCP,mine\n";

    #[test]
    fn values_are_those_defined_of_a_system() {
        let rows = "10.0.0.1,0,kad,3,0.5\n10.0.0.1,300,kad,1,\n10.0.0.2,0,kadu,7,1\n";
        let samples = Samples::from_csv(format!("{HEADER}{rows}").as_bytes()).unwrap();
        assert_eq!(samples.len(), 3);
        assert_eq!(samples.values("kad", "live-conn-TCP"), [1.0, 3.0]);
        assert_eq!(samples.values("kad", "mine"), [0.5]);
        assert_eq!(
            (samples.unit("live-conn-TCP"), samples.unit("mine")),
            ("flows", "")
        );
        assert!(samples.values("kad", "other").is_empty());
    }

    #[test]
    fn bad_cells_are_named_with_their_place() {
        for (rows, message) in [
            (
                "a,0,kad,x,1\n",
                "line 2, column live-conn-TCP: \"x\" is not a finite number",
            ),
            (
                "a,0,kad,1,1\na,0,kad,1,NaN\n",
                "line 3, column mine: \"NaN\" is not a finite number",
            ),
        ] {
            let error = Samples::from_csv(format!("{HEADER}{rows}").as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert!(Samples::from_csv("".as_bytes()).is_err());
        assert!(Samples::from_csv("a,b\n1,2\n".as_bytes()).is_err());
        assert!(Samples::from_csv(format!("{HEADER}1,2\n").as_bytes()).is_err());
    }
}
