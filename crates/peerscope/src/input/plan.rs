//! Which files there are, when each begins, and which are there twice.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use peerscope_flow::{Timestamp, Volume};
use peerscope_meter::Capture;
use peerscope_read::{
    Digest, Fault, FaultKind, Format, Policy, ReadError, ReadOptions, ReadReport, Source, Waiting,
    tstat_logs,
};

use super::InputError;
use super::report::{CaptureReport, RepeatReport, SourceReport};

/// A source, before it is read.
pub(super) enum Planned {
    Read(Waiting),
    /// One that is not to be read, and its account.
    Told(SourceReport),
}

impl From<RepeatReport> for Planned {
    fn from(repeat: RepeatReport) -> Self {
        Self::Told(SourceReport::Repeat(repeat))
    }
}

/// A source alone.
pub(super) fn one(
    path: &Path,
    options: &ReadOptions,
    before: &[SourceReport],
) -> Result<Planned, InputError> {
    let source = waiting(path, options)?;
    let repeat = repeats(std::slice::from_ref(&source), before)
        .pop()
        .flatten();
    Ok(repeat.map_or(Planned::Read(source), Planned::from))
}

/// The sources in order of time, those that begin together by name; so whatever the order they are
/// named in. The logs in a folder of Tstat stand for the folder. Where bad records are skipped, those
/// that are damaged at their beginning come last; if all are, the first of them is an error.
pub(super) fn plan<P: AsRef<Path>>(
    paths: impl IntoIterator<Item = P>,
    options: &ReadOptions,
    before: &[SourceReport],
) -> Result<Vec<Planned>, InputError> {
    let mut sources = Vec::new();
    let mut damaged = Vec::new();
    for path in paths {
        for path in files(path.as_ref())? {
            match waiting(&path, options) {
                Ok(source) => sources.push(source),
                Err(error) if options.policy() == Policy::Skip && is_damage(&error) => {
                    damaged.push((path, error));
                }
                Err(error) => return Err(error),
            }
        }
    }
    damaged.sort_by(|(a, _), (b, _)| a.cmp(b));
    if sources.is_empty() && !damaged.is_empty() {
        return Err(damaged.swap_remove(0).1);
    }
    sources.sort_by(|a, b| (a.start(), a.name()).cmp(&(b.start(), b.name())));
    let repeats = repeats(&sources, before);
    let planned = sources.into_iter().zip(repeats);
    let planned =
        planned.map(|(source, repeat)| repeat.map_or(Planned::Read(source), Planned::from));
    let damaged = damaged.iter();
    let damaged = damaged.map(|(path, error)| Planned::Told(told(path, options, error)));
    Ok(planned.chain(damaged).collect())
}

/// Whether a source is there, and of a known format as far as it can be told, but damaged: as the
/// last file of a capture that is still being written, or one cut by a full disk.
fn is_damage(error: &InputError) -> bool {
    match error {
        InputError::Capture(_) => true,
        InputError::Read(error) => match &error.fault {
            Fault::Io(error) => !matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory
            ),
            fault => matches!(fault, Fault::Empty) || fault.kind() == FaultKind::Input,
        },
    }
}

/// The account of a source that could not be read.
fn told(path: &Path, options: &ReadOptions, error: &InputError) -> SourceReport {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file);
    let size = metadata.map(|metadata| metadata.len());
    let digest = size.and_then(|_| Digest::of_file(path).ok());
    match error {
        InputError::Read(error) => {
            // A pipe cannot be looked at again.
            let again = size.and_then(|_| Source::open(path, options).ok());
            let format = again.map_or_else(|| options.format(), |source| source.format());
            let mut report = ReadReport::of_fault(error, format, size);
            report.digest = digest;
            SourceReport::Log(Box::new(report))
        }
        InputError::Capture(error) => SourceReport::Capture(CaptureReport {
            name: error.file.clone(),
            size,
            digest,
            offered: Volume::ZERO,
            ended_by: Some(error.to_string()),
        }),
    }
}

/// The logs of a folder of Tstat, else the path itself.
fn files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let logs = if path.is_dir() {
        tstat_logs(path)?
    } else {
        Vec::new()
    };
    Ok(if logs.is_empty() {
        vec![path.to_owned()]
    } else {
        logs
    })
}

fn waiting(path: &Path, options: &ReadOptions) -> Result<Waiting, InputError> {
    let source = Source::open(path, options)?;
    if source.format() != Format::Pcap || source.path().is_none() {
        return Ok(Waiting::new(source)?);
    }
    let waiting = Waiting::new(source)?;
    let source = Source::open(path, options)?;
    let mut capture = Capture::from_reader(source.name().to_owned(), source.into_input())?;
    // A capture that is damaged there says so when it is read.
    let first = capture.next_packet().ok().flatten();
    let start = first.map_or(Timestamp::MIN, |packet| packet.time);
    Ok(waiting.with_start(start))
}

/// For each source the earlier one of the same content, if there is one. Only files are read for it
/// that have a size, and among themselves a start, in common.
fn repeats(sources: &[Waiting], before: &[SourceReport]) -> Vec<Option<RepeatReport>> {
    let mut digests = vec![None; sources.len()];
    // A file that cannot be read says so when it is read for its flows.
    let mut digest = |i: usize| -> Option<Digest> {
        *digests[i].get_or_insert_with(|| Digest::of_file(sources[i].path()?).ok())
    };
    let mut repeat = |i: usize| {
        let source = &sources[i];
        let size = source.size().filter(|&size| size > 0)?;
        let mut known = before
            .iter()
            .filter(|known| known.size() == Some(size))
            .peekable();
        let beside = (0..i).rev();
        let mut same: Vec<usize> = beside
            .take_while(|&j| sources[j].start() == source.start())
            .filter(|&j| sources[j].size() == Some(size))
            .collect();
        if known.peek().is_none() && same.is_empty() {
            return None;
        }
        let content = digest(i)?;
        let known = known.find(|known| known.digest() == Some(content));
        let of = match known {
            Some(SourceReport::Repeat(repeat)) => repeat.of.clone(),
            Some(other) => other.name().to_owned(),
            None => {
                same.reverse();
                let first = same.into_iter().find(|&j| digest(j) == Some(content))?;
                sources[first].name().to_owned()
            }
        };
        Some(RepeatReport {
            name: source.name().to_owned(),
            size,
            digest: content,
            of,
        })
    };
    (0..sources.len()).map(&mut repeat).collect()
}
