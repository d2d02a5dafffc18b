//! The loop over the lines of a log.

use std::io::Read;
use std::sync::Arc;

use crate::lines::Lines;
use crate::{Fault, Position, ReadError, ReadOptions};

/// What a format makes of its lines.
pub(crate) trait ParseLine {
    /// A flow, or a record of one.
    type Item;

    /// What a line holds; `None` if it is no record: a header, a comment, a part of one.
    ///
    /// # Errors
    ///
    /// If the line cannot be understood.
    fn parse(&mut self, line: &[u8]) -> Result<Option<Self::Item>, Fault>;

    /// What is wrong with an end of the input here.
    fn end(&mut self) -> Option<Fault> {
        None
    }
}

/// The records of a text log.
#[derive(Debug)]
pub(crate) struct TextReader<R, P> {
    name: Arc<str>,
    lines: Lines<R>,
    parser: P,
    empty: bool,
    finished: bool,
}

impl<R: Read, P: ParseLine> TextReader<R, P> {
    pub(crate) fn new(name: &str, input: R, options: &ReadOptions, parser: P) -> Self {
        Self {
            name: name.into(),
            lines: Lines::new(input, options.max_line()),
            parser,
            empty: true,
            finished: false,
        }
    }

    fn try_next(&mut self) -> Result<Option<P::Item>, (Position, Fault)> {
        while let Some(line) = self.lines.next() {
            let line = line.map_err(|(line, fault)| (Position::Line(line), fault))?;
            let text = line.text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            self.empty = false;
            match self.parser.parse(text) {
                Ok(None) => {}
                Ok(item) => return Ok(item),
                Err(fault) => return Err((Position::Line(line.number), fault)),
            }
        }
        self.finished = true;
        let fault = if self.empty {
            Some(Fault::Empty)
        } else {
            self.parser.end()
        };
        fault.map_or(Ok(None), |fault| Err((Position::Source, fault)))
    }
}

impl<R: Read, P: ParseLine> Iterator for TextReader<R, P> {
    type Item = Result<P::Item, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        match self.try_next() {
            Ok(item) => item.map(Ok),
            Err((position, fault)) => {
                let error = ReadError::new(Arc::clone(&self.name), position, fault);
                self.finished |= error.is_fatal();
                Some(Err(error))
            }
        }
    }
}
