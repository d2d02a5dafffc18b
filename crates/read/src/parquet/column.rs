//! One batch of one column, whatever type it is stored as.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use parquet::errors::ParquetError;

use super::chunk::{Items, Sink, Stored};
use super::hybrid::{Hybrid, cut, damaged};
use crate::number::LARGEST;
use crate::{Fault, Problem};

/// Whole numbers of any width.
#[derive(Debug)]
pub(super) struct Numbers {
    column: &'static str,
    signed: bool,
    /// As unsigned bits: a negative number is a very large one.
    values: Vec<u64>,
    /// Whether a row holds no number; empty if all do.
    nulls: Vec<bool>,
    /// The bits of all values together: by them their range is checked once a batch.
    bits: u64,
    dictionary: Vec<u64>,
    places: Vec<u32>,
}

impl Numbers {
    pub(super) fn new(column: &'static str, data_type: &DataType) -> Result<Self, Fault> {
        let signed = match data_type {
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Null => true,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => false,
            other => return Err(column_type(column, other)),
        };
        Ok(Self {
            column,
            signed,
            values: Vec::new(),
            nulls: Vec::new(),
            bits: 0,
            dictionary: Vec::new(),
            places: Vec::new(),
        })
    }

    /// Takes a batch of the type expected.
    pub(super) fn load(&mut self, batch: &ArrayRef) -> Result<(), Fault> {
        self.clear();
        if let Some(nulls) = batch.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            self.nulls.extend(nulls.iter().map(|valid| !valid));
        }
        let values = &mut self.values;
        macro_rules! signed {
            ($type:ty) => {{
                let batch = batch.as_primitive::<$type>();
                values.extend(batch.values().iter().map(|&v| i64::from(v).cast_unsigned()));
            }};
        }
        macro_rules! unsigned {
            ($type:ty) => {{
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
        self.check();
        Ok(())
    }

    fn clear(&mut self) {
        self.values.clear();
        self.nulls.clear();
    }

    fn check(&mut self) {
        self.bits = self.values.iter().fold(0, |bits, value| bits | value);
    }

    /// The numbers of the batch if no row lacks one and none has more bits than `highest`.
    pub(super) fn all(&self, highest: u64) -> Option<&[u64]> {
        (self.nulls.is_empty() && self.bits <= highest).then_some(&self.values)
    }

    /// The numbers of the batch, of rows without one too, and which these are, if none is above
    /// 2^53 - 1.
    pub(super) fn known(&self) -> Option<(&[u64], &[bool])> {
        (self.bits < LARGEST).then_some((&self.values, &self.nulls))
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
        if self.bits < LARGEST {
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

impl Sink for Numbers {
    fn begin(&mut self) {
        self.clear();
    }

    fn dictionary(&mut self, mut items: Items, count: usize) -> Result<(), ParquetError> {
        self.dictionary.clear();
        append(items.take(count)?, self.signed, &mut self.dictionary);
        if self.dictionary.len() < count {
            return Err(cut());
        }
        Ok(())
    }

    /// Dictionaries of numbers differ, and are read as fast as compared.
    fn stored(&mut self) -> Option<&mut Stored> {
        None
    }

    fn values(&mut self, items: &mut Items, count: usize) -> Result<(), ParquetError> {
        let before = self.values.len();
        append(items.take(count)?, self.signed, &mut self.values);
        if self.values.len() - before < count {
            return Err(cut());
        }
        Ok(())
    }

    fn places(&mut self, places: &mut Hybrid, count: usize) -> Result<(), ParquetError> {
        self.places.clear();
        let read = places.read(count, &mut self.places);
        let before = self.values.len();
        let (mut all, dictionary) = (true, self.dictionary.as_slice());
        self.values.extend(self.places.iter().map(|&place| {
            let value = dictionary.get(place as usize);
            all &= value.is_some();
            value.copied().unwrap_or(0)
        }));
        if all {
            return read;
        }
        let good = check_places(&mut self.places, 0, self.dictionary.len());
        self.values.truncate(before + self.places.len());
        read.and(good)
    }

    fn spread(&mut self, present: &[bool]) {
        spread(&mut self.values, present, 0);
        let before = self.values.len() - present.len();
        self.nulls.resize(before, false);
        self.nulls.extend(present.iter().map(|present| !present));
    }

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn end(&mut self) {
        self.check();
    }
}

/// Appends numbers of four or eight bytes.
fn append((items, width): (&[u8], usize), signed: bool, values: &mut Vec<u64>) {
    if width == 8 {
        let (items, _) = items.as_chunks();
        values.extend(items.iter().map(|&item| u64::from_le_bytes(item)));
        return;
    }
    let (items, _) = items.as_chunks();
    let items = items.iter().map(|&item| i32::from_le_bytes(item));
    if signed {
        values.extend(items.map(|item| i64::from(item).cast_unsigned()));
    } else {
        values.extend(items.map(|item| u64::from(item.cast_unsigned())));
    }
}

/// Moves the last values to the places where `present` is true.
fn spread<T: Copy>(values: &mut Vec<T>, present: &[bool], missing: T) {
    let count = present.iter().filter(|&&present| present).count();
    let first = values.len() - count;
    let mut from = values.len();
    values.resize(first + present.len(), missing);
    for (to, &present) in present.iter().enumerate().rev() {
        values[first + to] = if present {
            from -= 1;
            values[from]
        } else {
            missing
        };
    }
}

/// Whether all places from the given one on have a value; else only those before the first that
/// has none are kept.
fn check_places(places: &mut Vec<u32>, from: usize, values: usize) -> Result<(), ParquetError> {
    let new = &places[from..];
    let highest = new.iter().fold(0, |highest, &place| highest.max(place));
    if (highest as usize) < values || new.is_empty() {
        return Ok(());
    }
    let good = new.iter().take_while(|&&place| (place as usize) < values);
    places.truncate(from + good.count());
    Err(damaged("a place outside the dictionary"))
}

/// Values that repeat, each parsed once per dictionary and not once per row.
#[derive(Debug)]
pub(super) struct Lookup<T> {
    column: &'static str,
    parse: fn(&[u8]) -> Result<T, Problem>,
    /// Per row a place in `table`; `NULL` for none.
    keys: Vec<u32>,
    /// The dictionary's values, then those of the batch that stand for themselves.
    table: Vec<Result<T, Refused>>,
    /// So many of its first values were there when it was last asked.
    kept: usize,
    /// The place and the text of the first values that are refused.
    refused: Vec<(usize, Vec<u8>)>,
    dictionary: Dictionary,
}

/// What the first part of a table was made of. Held to be compared: writers often repeat one
/// dictionary in each row group, and Arrow in each batch.
#[derive(Debug)]
enum Dictionary {
    None,
    /// A page, and the number of its values.
    Page {
        stored: Stored,
        len: usize,
    },
    Array(ArrayRef),
}

/// Why a place has no value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// The text is empty.
    Empty,
    Problem(Problem),
}

/// The place of no value.
pub(super) const NULL: u32 = u32::MAX;

/// Refused values whose text is kept for the message; any more are shown as an ellipsis.
const TEXTS: usize = 1024;

impl<T> Lookup<T> {
    /// A column of text, every distinct value of which is parsed.
    pub(super) fn text(
        column: &'static str,
        data_type: &DataType,
        parse: fn(&[u8]) -> Result<T, Problem>,
    ) -> Result<Self, Fault> {
        match data_type {
            DataType::Dictionary(_, value) if **value == DataType::Utf8 => {}
            DataType::Null => {}
            other => return Err(column_type(column, other)),
        }
        Ok(Self::new(column, parse))
    }

    const fn new(column: &'static str, parse: fn(&[u8]) -> Result<T, Problem>) -> Self {
        Self {
            column,
            parse,
            keys: Vec::new(),
            table: Vec::new(),
            kept: 0,
            refused: Vec::new(),
            dictionary: Dictionary::None,
        }
    }

    /// Takes a batch of the type expected.
    pub(super) fn load(&mut self, batch: &ArrayRef) -> Result<(), Fault> {
        match batch.data_type() {
            DataType::Dictionary(..) => self.load_dictionary(batch)?,
            DataType::UInt32 => {
                let numbers = batch.as_primitive::<UInt32Type>();
                self.load_each(batch, |row| numbers.value(row).to_le_bytes());
            }
            DataType::FixedSizeBinary(_) => {
                let items = batch.as_fixed_size_binary();
                self.load_each(batch, |row| items.value(row));
            }
            DataType::Null => {
                self.keys.clear();
                self.keys.resize(batch.len(), NULL);
            }
            other => return Err(column_type(self.column, other)),
        }
        Ok(())
    }

    fn load_dictionary(&mut self, batch: &ArrayRef) -> Result<(), ParquetError> {
        let batch = batch.as_dictionary::<Int32Type>();
        let values = batch.values();
        let same = match &self.dictionary {
            Dictionary::Array(known) => known.to_data().ptr_eq(&values.to_data()),
            _ => false,
        };
        if !same {
            self.truncate(0);
            if let Some(texts) = values.as_string_opt::<i32>() {
                (0..texts.len()).for_each(|i| self.push(texts.value(i).as_bytes()));
            } else if let Some(items) = values.as_binary_opt::<i32>() {
                (0..items.len()).for_each(|i| self.push(items.value(i)));
            }
            self.dictionary = Dictionary::Array(ArrayRef::clone(values));
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
        let values = self.table.len();
        let has_value = |&key: &u32| key == NULL || (key as usize) < values;
        if self.keys.iter().all(has_value) {
            return Ok(());
        }
        self.keys.clear();
        Err(damaged("a place outside the dictionary"))
    }

    fn load_each<V: AsRef<[u8]>>(&mut self, batch: &ArrayRef, item: impl Fn(usize) -> V) {
        self.dictionary = Dictionary::None;
        self.truncate(0);
        (0..batch.len()).for_each(|row| self.push(item(row).as_ref()));
        self.keys.clear();
        self.keys.extend(
            (0..)
                .zip(0..batch.len())
                .map(|(key, row)| if batch.is_null(row) { NULL } else { key }),
        );
    }

    fn truncate(&mut self, len: usize) {
        self.kept = self.kept.min(len);
        self.table.truncate(len);
        self.refused.retain(|&(place, _)| place < len);
    }

    #[inline]
    fn push(&mut self, item: &[u8]) {
        let value = (self.parse)(item);
        if value.is_err() && self.refused.len() < TEXTS {
            // More than that is not shown.
            let text = item[..item.len().min(256)].to_vec();
            self.refused.push((self.table.len(), text));
        }
        self.table.push(value.map_err(|problem| match item {
            [] => Refused::Empty,
            _ => Refused::Problem(problem),
        }));
    }

    /// The value in a row, where none is refused.
    #[inline]
    pub(super) fn known(&self, row: usize) -> Option<&T> {
        // The place of no value is in no table.
        self.table.get(self.keys[row] as usize)?.as_ref().ok()
    }

    /// The place of each row, the table, and how many of its first values are those of the last
    /// call.
    pub(super) fn rows_and_table(&mut self) -> (&[u32], &[Result<T, Refused>], usize) {
        let kept = std::mem::replace(&mut self.kept, self.table.len());
        (&self.keys, &self.table, kept)
    }

    /// Whether the rows may hold a value that is refused.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.refused.is_empty()
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
            Some(&Err(Refused::Problem(problem))) => Err(self.fault(key as usize, problem)),
            Some(Err(Refused::Empty)) | None => Err(Fault::Unset(self.column)),
        }
    }

    #[inline]
    pub(super) fn needed(&self, row: usize) -> Result<&T, Fault> {
        self.get(row)?.ok_or_else(|| Fault::Unset(self.column))
    }

    #[cold]
    fn fault(&self, place: usize, problem: Problem) -> Fault {
        let refused = self
            .refused
            .binary_search_by_key(&place, |(place, _)| *place);
        let text = refused.map_or("…".as_bytes(), |i| &self.refused[i].1);
        Fault::value(self.column, text, problem)
    }
}

impl Lookup<IpAddr> {
    /// A column of addresses: text, unsigned 32-bit numbers, or 4 or 16 bytes in network order.
    pub(super) fn addresses(column: &'static str, data_type: &DataType) -> Result<Self, Fault> {
        match data_type {
            DataType::Dictionary(_, value) if **value == DataType::Binary => {
                Ok(Self::new(column, from_bytes))
            }
            DataType::FixedSizeBinary(4 | 16) => Ok(Self::new(column, from_bytes)),
            DataType::UInt32 => Ok(Self::new(column, from_number)),
            text => Self::text(column, text, crate::address::parse),
        }
    }
}

impl<T> Sink for Lookup<T> {
    fn begin(&mut self) {
        self.keys.clear();
        self.truncate(match &self.dictionary {
            Dictionary::Page { len, .. } => *len,
            _ => 0,
        });
    }

    fn dictionary(&mut self, mut items: Items, count: usize) -> Result<(), ParquetError> {
        self.dictionary = Dictionary::None;
        self.truncate(0);
        for _ in 0..count {
            self.push(items.next()?);
        }
        self.dictionary = Dictionary::Page {
            stored: Stored::default(),
            len: count,
        };
        Ok(())
    }

    fn stored(&mut self) -> Option<&mut Stored> {
        match &mut self.dictionary {
            Dictionary::Page { stored, .. } => Some(stored),
            _ => None,
        }
    }

    fn values(&mut self, items: &mut Items, count: usize) -> Result<(), ParquetError> {
        for _ in 0..count {
            let item = items.next()?;
            #[expect(clippy::cast_possible_truncation, reason = "a dictionary and a batch")]
            self.keys.push(self.table.len() as u32);
            self.push(item);
        }
        Ok(())
    }

    fn places(&mut self, places: &mut Hybrid, count: usize) -> Result<(), ParquetError> {
        let Dictionary::Page { len, .. } = self.dictionary else {
            return Err(damaged("no dictionary"));
        };
        let before = self.keys.len();
        let read = places.read(count, &mut self.keys);
        read.and(check_places(&mut self.keys, before, len))
    }

    fn spread(&mut self, present: &[bool]) {
        spread(&mut self.keys, present, NULL);
    }

    fn rows(&self) -> usize {
        self.keys.len()
    }

    fn end(&mut self) {}
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

fn from_number(bytes: &[u8]) -> Result<IpAddr, Problem> {
    let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| Problem::NotAnAddress)?;
    Ok(IpAddr::V4(u32::from_le_bytes(bytes).into()))
}

fn column_type(column: &'static str, found: &DataType) -> Fault {
    Fault::ColumnType {
        column,
        found: found.to_string(),
    }
}
