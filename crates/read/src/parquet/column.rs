//! One batch of one column, whatever type it is stored as.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::number::LARGEST;
use crate::{Fault, Problem};

/// Whole numbers of any width.
#[derive(Debug)]
pub(super) struct Numbers {
    column: &'static str,
    /// As unsigned bits: a negative number is a very large one.
    values: Vec<u64>,
    signed: bool,
    /// Whether a row holds no number; empty if all do.
    nulls: Vec<bool>,
    /// Every number lies between 0 and 2^53: the rule, checked once a batch.
    in_range: bool,
}

impl Numbers {
    pub(super) const fn new(column: &'static str) -> Self {
        Self {
            column,
            values: Vec::new(),
            signed: true,
            nulls: Vec::new(),
            in_range: false,
        }
    }

    pub(super) fn load(&mut self, batch: &ArrayRef) -> Result<(), Fault> {
        self.values.clear();
        self.nulls.clear();
        if let Some(nulls) = batch.logical_nulls() {
            self.nulls.extend(nulls.iter().map(|valid| !valid));
        }
        let values = &mut self.values;
        macro_rules! signed {
            ($type:ty) => {{
                self.signed = true;
                let batch = batch.as_primitive::<$type>();
                values.extend(batch.values().iter().map(|&v| i64::from(v).cast_unsigned()));
            }};
        }
        macro_rules! unsigned {
            ($type:ty) => {{
                self.signed = false;
                let batch = batch.as_primitive::<$type>();
                values.extend(batch.values().iter().map(|&v| u64::from(v)));
            }};
        }
        match batch.data_type() {
            DataType::Int8 => signed!(Int8Type),
            DataType::Int16 => signed!(Int16Type),
            DataType::Int32 => signed!(Int32Type),
            DataType::Int64 => signed!(Int64Type),
            DataType::UInt8 => unsigned!(UInt8Type),
            DataType::UInt16 => unsigned!(UInt16Type),
            DataType::UInt32 => unsigned!(UInt32Type),
            DataType::UInt64 => unsigned!(UInt64Type),
            DataType::Timestamp(TimeUnit::Microsecond, _) => signed!(TimestampMicrosecondType),
            DataType::Null => values.resize(batch.len(), 0),
            other => return Err(column_type(self.column, other)),
        }
        // All bits of all numbers: 2^53 itself takes the slow way.
        let bits = values.iter().fold(0, |bits, value| bits | value);
        self.in_range = bits < LARGEST;
        Ok(())
    }

    /// The number in a row, from 0 to 2^53.
    #[inline]
    pub(super) fn needed(&self, row: usize) -> Result<u64, Fault> {
        self.get(row)?.ok_or_else(|| Fault::Unset(self.column))
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<u64>, Fault> {
        if self.nulls.get(row) == Some(&true) {
            return Ok(None);
        }
        if self.in_range {
            return Ok(Some(self.values[row]));
        }
        self.checked(row)
    }

    #[cold]
    fn checked(&self, row: usize) -> Result<Option<u64>, Fault> {
        let value = self.values[row];
        if value <= LARGEST {
            return Ok(Some(value));
        }
        let number = value.cast_signed();
        Err(if self.signed && number < 0 {
            Fault::value(
                self.column,
                number.to_string().as_bytes(),
                Problem::Negative,
            )
        } else {
            Fault::value(self.column, value.to_string().as_bytes(), Problem::TooLarge)
        })
    }

    #[inline]
    pub(super) fn port(&self, row: usize) -> Result<u16, Fault> {
        let value = self.needed(row)?;
        u16::try_from(value)
            .map_err(|_| Fault::value(self.column, value.to_string().as_bytes(), Problem::NotAPort))
    }
}

/// Values that repeat, each parsed once per dictionary and not once per row.
#[derive(Debug)]
pub(super) struct Lookup<T> {
    column: &'static str,
    /// Per row a place in `table`; `NULL` for none.
    keys: Vec<u32>,
    table: Vec<Result<T, Problem>>,
    /// The dictionary that `table` was made of. Held, so that its memory is not reused for
    /// another one, which would then be taken for it.
    dictionary: Option<ArrayRef>,
}

const NULL: u32 = u32::MAX;

impl<T> Lookup<T> {
    pub(super) const fn new(column: &'static str) -> Self {
        Self {
            column,
            keys: Vec::new(),
            table: Vec::new(),
            dictionary: None,
        }
    }

    /// Loads a batch of text.
    pub(super) fn load_text(
        &mut self,
        batch: &ArrayRef,
        parse: impl Fn(&[u8]) -> Result<T, Problem>,
    ) -> Result<(), Fault> {
        match batch.data_type() {
            DataType::Dictionary(_, value) if **value == DataType::Utf8 => {
                self.load_dictionary(batch, |values, i| {
                    parse(values.as_string::<i32>().value(i).as_bytes())
                });
            }
            DataType::Null => self.load_nulls(batch),
            other => return Err(column_type(self.column, other)),
        }
        Ok(())
    }

    fn load_dictionary(
        &mut self,
        batch: &ArrayRef,
        parse: impl Fn(&ArrayRef, usize) -> Result<T, Problem>,
    ) {
        let batch = batch.as_dictionary::<Int32Type>();
        let values = batch.values();
        let same = self
            .dictionary
            .as_ref()
            .is_some_and(|known| known.to_data().ptr_eq(&values.to_data()));
        if !same {
            self.table.clear();
            self.table
                .extend((0..values.len()).map(|i| parse(values, i)));
            self.dictionary = Some(ArrayRef::clone(values));
        }
        self.keys.clear();
        let keys = batch.keys();
        // A negative key cannot be valid either.
        let places = keys.values().iter().map(|&key| key.cast_unsigned());
        match keys.nulls() {
            None => self.keys.extend(places),
            Some(nulls) => self.keys.extend(
                places
                    .enumerate()
                    .map(|(row, key)| if nulls.is_null(row) { NULL } else { key }),
            ),
        }
    }

    fn load_nulls(&mut self, batch: &ArrayRef) {
        self.keys.clear();
        self.keys.resize(batch.len(), NULL);
    }

    /// The value in a row.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<&T>, Fault> {
        let key = self.keys[row];
        if key == NULL {
            return Ok(None);
        }
        match self.table.get(key as usize) {
            Some(Ok(value)) => Ok(Some(value)),
            Some(&Err(problem)) => Err(self.refused(key as usize, problem)),
            None => Err(Fault::Unset(self.column)),
        }
    }

    #[inline]
    pub(super) fn needed(&self, row: usize) -> Result<&T, Fault> {
        self.get(row)?.ok_or_else(|| Fault::Unset(self.column))
    }

    #[cold]
    fn refused(&self, place: usize, problem: Problem) -> Fault {
        let value = match &self.dictionary {
            Some(values) if values.data_type() == &DataType::Utf8 => {
                values.as_string::<i32>().value(place).as_bytes().to_vec()
            }
            Some(values) if values.data_type() == &DataType::Binary => {
                let bytes = values.as_binary::<i32>().value(place);
                bytes.escape_ascii().to_string().into_bytes()
            }
            _ => Vec::new(),
        };
        if value.is_empty() {
            Fault::Unset(self.column)
        } else {
            Fault::value(self.column, &value, problem)
        }
    }
}

impl Lookup<IpAddr> {
    /// Loads a batch of addresses: text, unsigned 32-bit numbers, or 4 or 16 bytes in network
    /// order.
    pub(super) fn load_addresses(&mut self, batch: &ArrayRef) -> Result<(), Fault> {
        match batch.data_type() {
            DataType::Dictionary(_, value) if **value == DataType::Binary => {
                self.load_dictionary(batch, |values, i| {
                    from_bytes(values.as_binary::<i32>().value(i))
                });
                Ok(())
            }
            DataType::UInt32 => {
                let numbers = batch.as_primitive::<UInt32Type>();
                self.load_each(batch, |row| {
                    Ok(IpAddr::V4(Ipv4Addr::from_bits(numbers.value(row))))
                });
                Ok(())
            }
            DataType::FixedSizeBinary(4 | 16) => {
                let bytes = batch.as_fixed_size_binary();
                self.load_each(batch, |row| from_bytes(bytes.value(row)));
                Ok(())
            }
            _ => self.load_text(batch, crate::address::parse),
        }
    }

    fn load_each(&mut self, batch: &ArrayRef, value: impl Fn(usize) -> Result<IpAddr, Problem>) {
        self.dictionary = None;
        self.table.clear();
        self.table.extend((0..batch.len()).map(value));
        self.keys.clear();
        self.keys.extend(
            (0..)
                .zip(0..batch.len())
                .map(|(key, row)| if batch.is_null(row) { NULL } else { key }),
        );
    }
}

fn from_bytes(bytes: &[u8]) -> Result<IpAddr, Problem> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        Ok(IpAddr::V4(Ipv4Addr::from(octets)))
    } else if let Ok(octets) = <[u8; 16]>::try_from(bytes) {
        Ok(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
    } else {
        Err(Problem::NotAnAddress)
    }
}

fn column_type(column: &'static str, found: &DataType) -> Fault {
    Fault::ColumnType {
        column,
        found: found.to_string(),
    }
}
