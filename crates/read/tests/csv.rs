//! The canonical CSV: round trips, and every kind of bad input.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport, Volume};
use peerscope_read::{CsvReader, CsvWriter, HEADER, ReadOptions, WriteError};
use proptest::prelude::*;

const GOOD: &str = "1000000,2500000,tcp,10.0.0.1,50000,192.0.2.1,4662,3,180,2,120,complete,0,emule";

fn read(text: impl AsRef<[u8]>) -> Vec<Result<Flow, String>> {
    CsvReader::new("flows.csv", text.as_ref(), &ReadOptions::new())
        .map(|flow| flow.map_err(|error| error.to_string()))
        .collect()
}

/// The error of the one record of a file.
fn error(record: &str) -> String {
    let text = format!("{HEADER}\n{record}\n{GOOD}\n");
    let mut all = read(text);
    assert_eq!(all.len(), 2, "{record}: {all:?}");
    all.pop().unwrap().expect("the next record is read");
    all.pop().unwrap().unwrap_err()
}

#[test]
fn a_record_means_what_its_columns_say() {
    let flow = read(format!("{HEADER}\n{GOOD}\n")).pop().unwrap().unwrap();
    assert_eq!(
        flow.span,
        Span::new(Timestamp::from_secs(1), Timestamp::from_micros(2_500_000)).unwrap()
    );
    assert_eq!(
        flow.key().to_string(),
        "tcp 10.0.0.1:50000 > 192.0.2.1:4662"
    );
    assert_eq!(
        (flow.fwd, flow.rev),
        (Volume::new(3, 180), Volume::new(2, 120))
    );
    assert_eq!(flow.rev_payload_bytes, Some(0));
    assert_eq!(flow.app.unwrap().as_str(), "emule");
}

#[test]
fn bad_records_are_named_and_passed() {
    for (record, expected) in [
        (
            GOOD.replace(",emule", ""),
            "13 fields where the header has 14",
        ),
        (
            GOOD.replace("emule", "emule,"),
            "15 fields where the header has 14",
        ),
        (
            GOOD.replace("1000000,", "NaN,"),
            "column \"start_us\": \"NaN\" is not a whole number",
        ),
        (
            GOOD.replace("2500000", "999999"),
            "end 999999 us is before start 1000000 us",
        ),
        (
            GOOD.replace(",3,", ",-3,"),
            "column \"fwd_packets\": \"-3\" is negative",
        ),
        (
            GOOD.replace(",180,", ",9007199254740993,"),
            "column \"fwd_bytes\": \"9007199254740993\" is above 2^53",
        ),
        (
            GOOD.replace(",2,", ",2.0,"),
            "column \"rev_packets\": \"2.0\" is not a whole number",
        ),
        (
            GOOD.replace(",120,", ",,"),
            "column \"rev_bytes\" has no value",
        ),
        (
            GOOD.replace("1000000,", ","),
            "column \"start_us\" has no value",
        ),
        (
            GOOD.replace("10.0.0.1", "10.0.0.256"),
            "column \"src_ip\": \"10.0.0.256\" is not an IP address",
        ),
        (
            GOOD.replace("4662", "65536"),
            "column \"dst_port\": \"65536\" is not a port",
        ),
        (
            GOOD.replace("tcp", "tpc"),
            "column \"transport\": \"tpc\" is not a transport",
        ),
        (
            GOOD.replace("complete", "Complete"),
            "column \"handshake\": \"Complete\" is not complete, failed or unknown",
        ),
        (
            GOOD.replace("tcp", "udp"),
            "column \"handshake\": \"complete\" is the outcome of a handshake, but the flow is not TCP",
        ),
        (
            GOOD.replace("emule", " "),
            "column \"app\": \" \" is not a label",
        ),
        (
            GOOD.replace(",0,", ",inf,"),
            "column \"rev_payload_bytes\": \"inf\" is not a whole number",
        ),
    ] {
        assert_eq!(error(&record), format!("flows.csv:2: {expected}"));
    }
    for record in ["\"emule", "e\"mule", "\"emule\"x"] {
        let message = error(&GOOD.replace("emule", record));
        assert!(
            message.starts_with("flows.csv:2: unmatched quote"),
            "{message}"
        );
    }
}

#[test]
fn a_value_in_a_message_is_short() {
    let message = error(
        &GOOD
            .replace("emule", "")
            .replace("1000000", &"9".repeat(100_000)),
    );
    assert!(message.len() < 200, "{message}");
}

#[test]
fn bytes_that_are_no_text_are_an_error() {
    let mut text = format!("{HEADER}\n{GOOD}").into_bytes();
    text.extend(b"\xff\xfe\n");
    let message = read(&text).pop().unwrap().unwrap_err();
    assert!(
        message.contains(":2: column \"app\"") && message.contains("not a label"),
        "{message}"
    );
}

#[test]
fn headers_are_checked() {
    let header = |text: &str| read(format!("{text}\n{GOOD}\n"));
    for (text, expected) in [
        (HEADER.replace(",app", ""), "column \"app\" is missing"),
        (format!("{HEADER},tos"), "unknown column \"tos\""),
        (
            HEADER.replace("end_us", "End_us"),
            "unknown column \"End_us\"",
        ),
        (
            HEADER.replace("end_us", "start_us"),
            "column \"start_us\" occurs twice",
        ),
    ] {
        let all = header(&text);
        assert_eq!(all, [Err(format!("flows.csv:1: {expected}"))]);
    }
    assert_eq!(read(""), [Err("flows.csv: the file is empty".to_owned())]);
    assert!(read(HEADER).is_empty());
    assert!(read(format!("{HEADER}\n")).is_empty());
}

#[test]
fn columns_may_be_reordered_and_quoted_and_lines_may_end_in_any_way() {
    let plain = read(format!("{HEADER}\n{GOOD}\n"));
    assert!(plain[0].is_ok());
    let reversed = |line: &str| line.rsplit(',').collect::<Vec<_>>().join(",");
    let quoted = |line: &str| format!("\"{}\"", line.replace(',', "\",\""));
    for text in [
        format!("{}\n{}\n", reversed(HEADER), reversed(GOOD)),
        format!("{}\n{}\n", quoted(HEADER), quoted(GOOD)),
        format!("{HEADER}\r\n{GOOD}\r\n"),
        format!("{HEADER}\n{GOOD}"),
        format!("\u{feff}{HEADER}\n{GOOD}\n\n"),
    ] {
        assert_eq!(read(&text), plain, "{text}");
    }
}

#[test]
fn a_long_line_is_an_error_and_the_next_is_read() {
    let text = format!("{HEADER}\n{}\n{GOOD}\n", "x".repeat(5000));
    let options = ReadOptions::new().with_max_line(4096);
    let all: Vec<_> = CsvReader::new("flows.csv", text.as_bytes(), &options).collect();
    assert_eq!(
        all[0].as_ref().unwrap_err().to_string(),
        "flows.csv:2: line longer than 4096 bytes, the limit"
    );
    assert!(all[1].is_ok() && all.len() == 2);
}

#[test]
fn what_no_reader_takes_is_not_written() {
    let end = Endpoint::new([10, 0, 0, 1].into(), 1);
    let flow = Flow::new(
        Transport::Udp,
        end,
        end,
        Span::at(Timestamp::from_micros(-1)),
    );
    let mut writer = CsvWriter::new(Vec::new()).unwrap();
    let error = writer.write(&flow).unwrap_err();
    assert!(
        matches!(error, WriteError::Number { value: -1, .. }),
        "{error}"
    );
    let flow = Flow {
        app: Some("a\nb".parse().unwrap()),
        ..Flow::new(Transport::Udp, end, end, Span::at(Timestamp::from_secs(0)))
    };
    assert!(matches!(writer.write(&flow), Err(WriteError::Label { .. })));
    assert_eq!(writer.finish().unwrap(), format!("{HEADER}\n").into_bytes());
}

proptest! {
    #[test]
    fn flows_survive_the_file(flows in prop::collection::vec(common::flow(), 0..20)) {
        let text = common::csv(&flows);
        let again: Vec<Flow> = read(&text).into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(&again, &flows);
        prop_assert_eq!(common::csv(&again), text);
    }

    #[test]
    fn any_bytes_are_flows_or_errors(bytes: Vec<u8>, cut: prop::sample::Index) {
        let _ = read(&bytes);
        let mut text = format!("{HEADER}\n{GOOD}\n").into_bytes();
        let at = cut.index(text.len());
        text.splice(at..at, bytes);
        for flow in read(&text).into_iter().flatten() {
            prop_assert!(flow.span.start() <= flow.span.end());
        }
    }
}
