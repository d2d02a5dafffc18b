//! A column chunk, read page by page straight into the values of a column.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

use super::hybrid::{Hybrid, cut, damaged};
use super::limits::{MOST_ENTRIES, PageFile, is_dictionary};
use super::reader::guarded;

/// What takes in the values of a chunk, batch by batch. After an error it holds the values before
/// what is wrong.
pub(super) trait Sink {
    /// A batch begins.
    fn begin(&mut self);
    /// From now on places refer to this dictionary of so many values.
    fn dictionary(&mut self, items: Items, count: usize) -> Result<(), ParquetError>;
    /// Where to keep the page its dictionary was read from, if that is to be known again.
    fn stored(&mut self) -> Option<&mut Stored>;
    /// The next `count` rows have these values.
    fn values(&mut self, items: &mut Items, count: usize) -> Result<(), ParquetError>;
    /// The next `count` rows have the values at these places.
    fn places(&mut self, places: &mut Hybrid, count: usize) -> Result<(), ParquetError>;
    /// Of the next rows these have a value: the last ones taken in, in their order.
    fn spread(&mut self, present: &[bool]);
    /// The rows of the batch so far.
    fn rows(&self) -> usize;
    /// The batch has all its rows.
    fn end(&mut self);
}

/// The rows of a column chunk that are still to be read.
///
/// It knows what nearly every writer uses: flat columns, plain values and dictionaries, pages of
/// both versions. Arrow's reader takes longer for less: it copies and checks what is then to be
/// parsed, and makes an array of each batch.
pub(super) struct Chunk {
    file: Arc<PageFile>,
    /// Where the chunk begins in the file.
    start: u64,
    codec: Compression,
    pages: SerializedPageReader<PageFile>,
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

/// A page as it stands in the file, with its header.
#[derive(Debug, Default)]
pub(super) struct Stored {
    page: Bytes,
    /// How it is compressed; `None` for no page.
    codec: Option<Compression>,
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
        file: &Arc<PageFile>,
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
            file: Arc::clone(file),
            start: chunk.byte_range().0,
            codec: chunk.compression(),
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

    /// Reads the next rows, of which there must be so many, as a batch.
    pub(super) fn read(&mut self, rows: usize, sink: &mut impl Sink) -> Result<(), ParquetError> {
        sink.begin();
        let read = self.read_rows(rows, sink);
        sink.end();
        read
    }

    fn read_rows(&mut self, mut rows: usize, sink: &mut impl Sink) -> Result<(), ParquetError> {
        while rows > 0 {
            if self.left == 0 {
                self.next_page(sink)?;
                continue;
            }
            let (count, present, levels) = self.present(rows.min(self.left));
            let before = sink.rows();
            let taken = match &mut self.content {
                Content::Values(items) => sink.values(items, present),
                Content::Places(places) => sink.places(places, present),
            };
            if present < count {
                // All rows of the count, or those before the first value that is wrong.
                let mut left = sink.rows() - before;
                let is_there = |&&present: &&bool| {
                    let there = !present || left > 0;
                    left -= usize::from(present && there);
                    there
                };
                let rows = self.present.iter().take_while(is_there).count();
                sink.spread(&self.present[..rows]);
            }
            taken.and(levels)?;
            self.left -= count;
            rows -= count;
        }
        Ok(())
    }

    /// How many of the next rows there are, all but after an error, and how many of them have a
    /// value; if not all, `self.present` tells which.
    fn present(&mut self, count: usize) -> (usize, usize, Result<(), ParquetError>) {
        let Some(levels) = &mut self.levels else {
            return (count, count, Ok(()));
        };
        match levels.skip_run_of(1, count) {
            Ok(true) => return (count, count, Ok(())),
            Ok(false) => {}
            Err(error) => return (0, 0, Err(error)),
        }
        self.scratch.clear();
        let read = levels.read(count, &mut self.scratch);
        self.present.clear();
        self.present
            .extend(self.scratch.iter().map(|&level| level == 1));
        let present = self.present.iter().filter(|&&present| present).count();
        (self.present.len(), present, read)
    }

    /// Whether the chunk begins with the dictionary that the sink has: writers often repeat it in
    /// each row group, and then it need not even be decompressed.
    fn begins_with_known(&self, sink: &mut impl Sink) -> bool {
        let Some(known) = sink
            .stored()
            .filter(|known| known.codec == Some(self.codec))
        else {
            return false;
        };
        let beginning = self.file.get_bytes(self.start, known.page.len());
        beginning.is_ok_and(|beginning| beginning == known.page)
    }

    fn next_page(&mut self, sink: &mut impl Sink) -> Result<(), ParquetError> {
        if !self.pages_seen && self.begins_with_known(sink) {
            guarded(|| self.pages.skip_next_page())?;
            (self.pages_seen, self.has_dictionary) = (true, true);
            return Ok(());
        }
        let page = guarded(|| self.pages.get_next_page())?.ok_or_else(cut)?;
        let (rows, encoding, levels, content) = match page {
            Page::DictionaryPage {
                buf, num_values, ..
            } => {
                if std::mem::replace(&mut self.pages_seen, true) {
                    return Err(damaged("a dictionary behind values"));
                }
                self.has_dictionary = true;
                let count = num_values as usize;
                if count > MOST_ENTRIES {
                    return Err(damaged("a dictionary of too many values"));
                }
                sink.dictionary(self.items(buf), count)?;
                if let Some(stored) = sink.stored() {
                    let length = self.file.end().saturating_sub(self.start);
                    let length = usize::try_from(length).map_err(|_| cut())?;
                    let page = self.file.get_bytes(self.start, length)?;
                    // The format allows for a page of an index before it.
                    let codec = is_dictionary(&page).then_some(self.codec);
                    *stored = Stored { page, codec };
                }
                return Ok(());
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

    /// The next `count` values of a fixed width, side by side, or fewer if there are no more; and
    /// the width.
    pub(super) fn take(&mut self, count: usize) -> Result<(&[u8], usize), ParquetError> {
        let Width::Fixed(width) = self.width else {
            return Err(damaged("text in place of numbers"));
        };
        let rest = &self.bytes[self.at..];
        let there = count.min(rest.len() / width);
        let items = &rest[..there * width];
        self.at += items.len();
        Ok((items, width))
    }
}
