//! The items of a source under a policy, with the account of what was read.

use std::fmt;

use crate::digest::Digesting;
use crate::{Policy, ReadError, ReadReport};

/// What the reader of a format gives.
pub(crate) trait Reading<T>: Iterator<Item = Result<T, ReadError>> {
    /// Adds to the report what only this format knows.
    fn account(&self, _: &mut ReadReport) {}
}

/// Reads under a [`Policy`] and keeps the account.
pub(crate) struct Accounted<T> {
    items: Box<dyn Reading<T> + Send>,
    policy: Policy,
    report: ReadReport,
    note: fn(&mut ReadReport, &T),
    digest: Digesting,
    is_file: bool,
    ended: bool,
}

impl<T> Accounted<T> {
    pub(crate) fn new(
        items: Box<dyn Reading<T> + Send>,
        note: fn(&mut ReadReport, &T),
        policy: Policy,
        report: ReadReport,
        digest: Digesting,
    ) -> Self {
        let is_file = report.size.is_some();
        Self {
            items,
            policy,
            report,
            note,
            digest,
            is_file,
            ended: false,
        }
    }

    pub(crate) const fn report(&self) -> &ReadReport {
        &self.report
    }

    pub(crate) const fn report_mut(&mut self) -> &mut ReadReport {
        &mut self.report
    }

    /// Takes the digest of all that is there by now, which for a file is its size.
    fn close(&mut self) {
        self.report.digest = self.digest.finish();
        if self.is_file {
            self.report.size = Some(self.digest.bytes());
        }
    }

    pub(crate) fn into_report(self) -> ReadReport {
        self.report
    }
}

impl<T> Iterator for Accounted<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.items.next() {
                Some(Ok(item)) => {
                    (self.note)(&mut self.report, &item);
                    return Some(Ok(item));
                }
                Some(Err(error)) => {
                    let stop = self.policy == Policy::Stop && !error.is_passed_over();
                    self.ended = error.is_fatal() || stop;
                    self.report.count_error(&error, self.ended);
                    if self.ended {
                        self.items.account(&mut self.report);
                        // A stream may have no end.
                        if self.is_file {
                            self.close();
                        }
                        return Some(Err(error));
                    }
                }
                None => {
                    self.ended = true;
                    self.items.account(&mut self.report);
                    self.close();
                }
            }
        }
        None
    }
}

impl<T> fmt::Debug for Accounted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounted")
            .field("policy", &self.policy)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
