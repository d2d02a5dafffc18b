//! What the targets check beside that nothing panics.

use peerscope::flow::{Flow, Volume};
use peerscope::read::{
    CsvReader, CsvWriter, Merging, Pair, Pairing, ReadError, ReadOptions, Record, Remerge,
};

/// Flows of a log: errors can be printed, merging loses no packet, and our own file gives back
/// what was written.
pub fn flows(flows: impl Iterator<Item = Result<Flow, ReadError>>) {
    let read = good(flows);
    let merged = good::<_, ReadError>(Remerge::new(read.iter().cloned().map(Ok), Merging::new()));
    assert_eq!(total(&read), total(&merged));

    let mut writer = CsvWriter::new(Vec::new()).expect("a vector takes everything");
    let written: Vec<Flow> = read
        .into_iter()
        .filter(|flow| writer.write(flow).is_ok())
        .collect();
    let text = writer.finish().expect("a vector takes everything");
    let again = good(CsvReader::new("again", &text[..], &ReadOptions::new()));
    assert_eq!(again.len(), written.len());
    for (again, written) in again.into_iter().zip(written) {
        let initiator = again.initiator;
        assert_eq!(
            again,
            Flow {
                initiator,
                ..written
            }
        );
    }
}

/// Records of exporters: pairing loses no packet.
pub fn records(records: impl Iterator<Item = Result<Record, ReadError>>) {
    let read = good(records);
    let before: Volume = sum(read
        .iter()
        .flat_map(|record| [record.fwd, record.rev.unwrap_or_default()]));
    let mut pair = Pair::new(read.into_iter().map(Ok), Pairing::new());
    let paired = good(pair.by_ref());
    let withheld = pair.feed().withheld();
    assert!(
        withheld
            .iter()
            .all(|withheld| !withheld.reason.to_string().is_empty())
    );
    assert_eq!(total(&paired), before);
    flows(paired.into_iter().map(Ok));
}

fn good<T, E: std::fmt::Display>(items: impl Iterator<Item = Result<T, E>>) -> Vec<T> {
    items
        .filter_map(|item| item.map_err(|error| error.to_string()).ok())
        .collect()
}

fn total(flows: &[Flow]) -> Volume {
    sum(flows.iter().flat_map(|flow| [flow.fwd, flow.rev]))
}

fn sum(volumes: impl Iterator<Item = Volume>) -> Volume {
    volumes.fold(Volume::ZERO, |sum, volume| {
        Volume::new(
            sum.packets.saturating_add(volume.packets),
            sum.bytes.saturating_add(volume.bytes),
        )
    })
}
