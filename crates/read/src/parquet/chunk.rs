//! A column chunk, read page by page straight into the values of a column.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::hybrid::{Hybrid, cut, damaged};

/// What takes in the values of a chunk.
pub(super) trait Sink {
    /// From now on places refer to this dictionary.
    fn dictionary(&mut self, items: Items) -> Result<(), ParquetError>;
    /// The next `count` rows have these values.
    fn values(&mut self, items: &mut Items, count: usize) -> Result<(), ParquetError>;
    /// The next `count` rows have the values at these places.
    fn places(&mut self, places: &mut Hybrid, count: usize) -> Result<(), ParquetError>;
    /// Of the next rows these have a value: the last ones taken in, in their order.
    fn spread(&mut self, present: &[bool]);
}

/// The rows of a column chunk that are still to be read.
///
/// It knows what nearly every writer uses: flat columns, plain values and dictionaries, pages of
/// both versions. Arrow's reader takes longer for less: it copies and checks what is then to be
/// parsed, and makes an array of each batch.
pub(super) struct Chunk {
    pages: SerializedPageReader<File>,
    width: Width,
    nullable: bool,
    pages_seen: bool,
    has_dictionary: bool,
    /// Rows of the page.
    left: usize,
    /// Which rows of the page have a value: 1 if they do.
    levels: Option<Hybrid>,
    content: Content,
    scratch: Vec<u32>,
    present: Vec<bool>,
}

enum Content {
    Values(Items),
    Places(Hybrid),
}

impl Chunk {
    /// Whether a chunk is one that can be read so.
    pub(super) fn is_readable(chunk: &ColumnChunkMetaData) -> bool {
        let column = chunk.column_descr();
        let known = |encoding| {
            matches!(
                encoding,
                Encoding::PLAIN
                    | Encoding::RLE
                    | Encoding::PLAIN_DICTIONARY
                    | Encoding::RLE_DICTIONARY
            )
        };
        column.max_rep_level() == 0
            && column.max_def_level() <= 1
            && Width::of(chunk).is_some()
            && chunk.encodings().all(known)
    }

    /// The rows of a readable chunk.
    pub(super) fn open(
        file: &Arc<File>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
    ) -> Result<Self, ParquetError> {
        let width = Width::of(chunk).ok_or_else(|| damaged("a type of another column"))?;
        let no_items = Items {
            bytes: Bytes::new(),
            at: 0,
            width,
        };
        Ok(Self {
            pages: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            width,
            nullable: chunk.column_descr().max_def_level() == 1,
            pages_seen: false,
            has_dictionary: false,
            left: 0,
            levels: None,
            content: Content::Values(no_items),
            scratch: Vec::new(),
            present: Vec::new(),
        })
    }

    /// Reads the next rows, of which there must be so many.
    pub(super) fn read(
        &mut self,
        mut rows: usize,
        sink: &mut impl Sink,
    ) -> Result<(), ParquetError> {
        while rows > 0 {
            if self.left == 0 {
                self.next_page(sink)?;
                continue;
            }
            let count = rows.min(self.left);
            let present = self.present(count)?;
            match &mut self.content {
                Content::Values(items) => sink.values(items, present)?,
                Content::Places(places) => sink.places(places, present)?,
            }
            if present < count {
                sink.spread(&self.present);
            }
            self.left -= count;
            rows -= count;
        }
        Ok(())
    }

    /// How many of the next rows have a value; if not all, `self.present` tells which.
    fn present(&mut self, count: usize) -> Result<usize, ParquetError> {
        let Some(levels) = &mut self.levels else {
            return Ok(count);
        };
        if levels.skip_run_of(1, count)? {
            return Ok(count);
        }
        self.scratch.clear();
        levels.read(count, &mut self.scratch)?;
        self.present.clear();
        self.present
            .extend(self.scratch.iter().map(|&level| level == 1));
        Ok(self.scratch.iter().filter(|&&level| level == 1).count())
    }

    fn next_page(&mut self, sink: &mut impl Sink) -> Result<(), ParquetError> {
        let page = self.pages.get_next_page()?.ok_or_else(cut)?;
        let (rows, encoding, levels, content) = match page {
            Page::DictionaryPage { buf, .. } => {
                if std::mem::replace(&mut self.pages_seen, true) {
                    return Err(damaged("a dictionary behind values"));
                }
                self.has_dictionary = true;
                return sink.dictionary(self.items(buf));
            }
            Page::DataPage {
                buf,
                num_values,
                encoding,
                ..
            } => {
                let (levels, content) = self.levels_and_content(buf)?;
                (num_values, encoding, levels, content)
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let repetition = rep_levels_byte_len as usize;
                let end = repetition.saturating_add(def_levels_byte_len as usize);
                if end > buf.len() {
                    return Err(cut());
                }
                let levels = self.nullable.then(|| buf.slice(repetition..end));
                (num_values, encoding, levels, buf.slice(end..))
            }
        };
        self.pages_seen = true;
        self.left = rows as usize;
        self.levels = levels.map(|levels| Hybrid::new(levels, 1)).transpose()?;
        self.content = match encoding {
            Encoding::PLAIN => Content::Values(self.items(content)),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY if self.has_dictionary => {
                // A page without values may be empty.
                let width = content.first().copied().unwrap_or(0);
                Content::Places(Hybrid::new(content.slice(content.len().min(1)..), width)?)
            }
            other => return Err(damaged(&format!("no values in encoding {other}"))),
        };
        Ok(())
    }

    /// The parts of a page of version 1: levels only where values may be missing.
    fn levels_and_content(&self, page: Bytes) -> Result<(Option<Bytes>, Bytes), ParquetError> {
        if !self.nullable {
            return Ok((None, page));
        }
        let length = page.first_chunk().ok_or_else(cut)?;
        let end = (u32::from_le_bytes(*length) as usize).saturating_add(length.len());
        if end > page.len() {
            return Err(cut());
        }
        Ok((Some(page.slice(length.len()..end)), page.slice(end..)))
    }

    fn items(&self, bytes: Bytes) -> Items {
        Items {
            bytes,
            at: 0,
            width: self.width,
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("width", &self.width)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Values one after the other.
#[derive(Clone, Debug)]
pub(super) struct Items {
    bytes: Bytes,
    at: usize,
    width: Width,
}

/// How long a value is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Fixed(usize),
    /// The length stands before each value, in four bytes.
    Prefixed,
}

impl Width {
    fn of(chunk: &ColumnChunkMetaData) -> Option<Self> {
        let length = chunk.column_descr().type_length();
        match chunk.column_type() {
            Type::INT32 => Some(Self::Fixed(4)),
            Type::INT64 => Some(Self::Fixed(8)),
            Type::BYTE_ARRAY => Some(Self::Prefixed),
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(length)
                .ok()
                .filter(|&length| length > 0)
                .map(Self::Fixed),
            Type::BOOLEAN | Type::INT96 | Type::FLOAT | Type::DOUBLE => None,
        }
    }
}

impl Items {
    /// Whether there are none left.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The bytes of all values, passed or not.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The next value.
    #[inline]
    pub(super) fn next(&mut self) -> Result<&[u8], ParquetError> {
        let rest = &self.bytes[self.at..];
        let (prefix, length) = match self.width {
            Width::Fixed(width) => (0, width),
            Width::Prefixed => {
                let length = rest.first_chunk().ok_or_else(cut)?;
                (length.len(), u32::from_le_bytes(*length) as usize)
            }
        };
        let item = rest[prefix..].get(..length).ok_or_else(cut)?;
        self.at += prefix + length;
        Ok(item)
    }

    /// The next `count` values of a fixed width, side by side, and the width.
    pub(super) fn take(&mut self, count: usize) -> Result<(&[u8], usize), ParquetError> {
        let Width::Fixed(width) = self.width else {
            return Err(damaged("text in place of numbers"));
        };
        let rest = &self.bytes[self.at..];
        let items = rest.get(..count.saturating_mul(width)).ok_or_else(cut)?;
        self.at += items.len();
        Ok((items, width))
    }

    /// How many values of a fixed width are left.
    pub(super) fn left(&self) -> usize {
        match self.width {
            Width::Fixed(width) => (self.bytes.len() - self.at).checked_div(width).unwrap_or(0),
            Width::Prefixed => 0,
        }
    }
}
