//! The addresses of a batch.

use std::net::IpAddr;

use arrow_schema::DataType;

use super::column::{Lookup, NULL};
use crate::Fault;

/// Addresses, looked up for all rows of a batch at once: these loads miss the cache more often than
/// any others, and so they overlap. While there is no IPv6, what is looked up is four times smaller.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) lookup: Lookup<IpAddr>,
    /// The looked-up table as numbers, up to its first value that is no IPv4 address.
    v4: Vec<u32>,
    rows: Rows,
}

/// The address of each row.
#[derive(Debug)]
enum Rows {
    V4(Vec<u32>),
    Any(Vec<Option<IpAddr>>),
}

impl Addresses {
    /// No rows, of a type that can hold addresses.
    pub(super) fn new(column: &'static str, data_type: &DataType) -> Result<Self, Fault> {
        Ok(Self {
            lookup: Lookup::addresses(column, data_type)?,
            v4: Vec::new(),
            rows: Rows::default(),
        })
    }

    /// Looks the rows of the batch up.
    pub(super) fn resolve(&mut self) {
        let (keys, table, kept) = self.lookup.rows_and_table();
        self.v4.truncate(kept);
        if self.v4.len() == kept {
            let numbers = table[kept..].iter().map_while(|value| match value {
                Ok(IpAddr::V4(v4)) => Some(v4.to_bits()),
                _ => None,
            });
            self.v4.extend(numbers);
        }
        let all_v4 = self.v4.len() == table.len() && keys.iter().all(|&key| key != NULL);
        // A vector is used again if it is of the same kind.
        let rows = std::mem::take(&mut self.rows);
        self.rows = if all_v4 {
            let mut rows = if let Rows::V4(rows) = rows {
                rows
            } else {
                Vec::new()
            };
            rows.clear();
            rows.extend(keys.iter().map(|&key| self.v4[key as usize]));
            Rows::V4(rows)
        } else {
            let mut rows = if let Rows::Any(rows) = rows {
                rows
            } else {
                Vec::new()
            };
            rows.clear();
            let value = |&key: &u32| table.get(key as usize)?.as_ref().ok().copied();
            rows.extend(keys.iter().map(value));
            Rows::Any(rows)
        };
    }

    /// The addresses of all rows, if they are IPv4 and none is missing or refused.
    pub(super) fn all_v4(&self) -> Option<&[u32]> {
        match &self.rows {
            Rows::V4(rows) => Some(rows),
            Rows::Any(_) => None,
        }
    }

    /// The address in a row, if there is one and it is not refused.
    #[inline]
    pub(super) fn known(&self, row: usize) -> Option<IpAddr> {
        match &self.rows {
            Rows::V4(rows) => Some(IpAddr::V4(rows[row].into())),
            Rows::Any(rows) => rows[row],
        }
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self::V4(Vec::new())
    }
}
