//! Which files there are, when each begins, and which are there twice.

use std::path::{Path, PathBuf};

use peerscope_flow::Timestamp;
use peerscope_meter::Capture;
use peerscope_read::{Digest, Format, ReadError, ReadOptions, Source, Waiting, tstat_logs};

use super::InputError;
use super::report::{RepeatReport, SourceReport};

/// A source, before it is read.
pub(super) enum Planned {
    Read(Waiting),
    /// The content of an earlier one.
    Repeat(RepeatReport),
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
    Ok(repeat.map_or(Planned::Read(source), Planned::Repeat))
}

/// The sources in order of time, those that begin together by name; so whatever the order they are
/// named in. The logs in a folder of Tstat stand for the folder.
pub(super) fn plan<P: AsRef<Path>>(
    paths: impl IntoIterator<Item = P>,
    options: &ReadOptions,
    before: &[SourceReport],
) -> Result<Vec<Planned>, InputError> {
    let mut sources = Vec::new();
    for path in paths {
        for path in files(path.as_ref())? {
            sources.push(waiting(&path, options)?);
        }
    }
    sources.sort_by(|a, b| (a.start(), a.name()).cmp(&(b.start(), b.name())));
    let repeats = repeats(&sources, before);
    let planned = sources.into_iter().zip(repeats);
    Ok(planned
        .map(|(source, repeat)| repeat.map_or(Planned::Read(source), Planned::Repeat))
        .collect())
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
        return Ok(Waiting::new(source, options)?);
    }
    let waiting = Waiting::new(source, options)?;
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
