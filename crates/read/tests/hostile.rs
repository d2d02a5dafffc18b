//! What every text format must survive: ends of lines of any kind, marks, zeros, endless lines,
//! ends in the middle.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{Cursor, Read};

use peerscope_flow::Flow;
use peerscope_read::{Fault, FaultKind, Format, Policy, ReadOptions, ReadReport, Source};

/// A header, if the format has one, and rows of two flows.
const LOGS: [(Format, &str, [&str; 2]); 9] = [
    (
        Format::Csv,
        "start_us,end_us,transport,src_ip,src_port,dst_ip,dst_port,fwd_packets,fwd_bytes,rev_packets,rev_bytes,handshake,rev_payload_bytes,app\n",
        [
            "1000000,2000000,udp,10.0.0.1,1,192.0.2.1,2,3,300,1,90,,62,kad\n",
            "3000000,4000000,tcp,10.0.0.1,3,192.0.2.1,4,3,300,1,90,complete,62,emule\n",
        ],
    ),
    (
        Format::Zeek,
        "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\tconn_state\thistory\tresp_bytes\n",
        [
            "1.0\t10.0.0.1\t1\t192.0.2.1\t2\tudp\t1.0\t3\t300\t1\t90\tSF\tDd\t62\n",
            "3.0\t10.0.0.1\t3\t192.0.2.1\t4\ttcp\t1.0\t3\t300\t1\t90\tSF\tShADad\t62\n",
        ],
    ),
    (
        Format::Zeek,
        "",
        [
            "{\"ts\":1.0,\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":1,\"id.resp_h\":\"192.0.2.1\",\"id.resp_p\":2,\"proto\":\"udp\",\"duration\":1.0,\"orig_pkts\":3,\"orig_ip_bytes\":300,\"resp_pkts\":1,\"resp_ip_bytes\":90,\"conn_state\":\"SF\",\"history\":\"Dd\"}\n",
            "{\"ts\":3.0,\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":3,\"id.resp_h\":\"192.0.2.1\",\"id.resp_p\":4,\"proto\":\"tcp\",\"duration\":1.0,\"orig_pkts\":3,\"orig_ip_bytes\":300,\"resp_pkts\":1,\"resp_ip_bytes\":90,\"conn_state\":\"SF\",\"history\":\"ShADad\"}\n",
        ],
    ),
    (
        Format::Tstat,
        "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 c_bytes_all:5 c_pkts_all:6 c_type:9 s_ip:10 s_port:11 s_first_abs:12 s_durat:13 s_bytes_all:14 s_pkts_all:15 s_type:18\n",
        [
            "10.0.0.1 1 1000.0 0.5 10 1 9 192.0.2.1 2 1000.1 0.2 10 1 9\n",
            "10.0.0.1 3 3000.0 0.5 10 1 9 192.0.2.1 4 3000.1 0.2 10 1 9\n",
        ],
    ),
    (
        Format::Nfdump,
        "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n",
        [
            "2026-01-01 00:00:05,2026-01-01 00:00:06,1.0,10.0.0.1,192.0.2.1,1,2,UDP,........,0,0,3,300,1,90\n",
            "2026-01-01 00:00:07,2026-01-01 00:00:08,1.0,10.0.0.1,192.0.2.1,3,4,TCP,...AP.SF,0,0,3,300,1,90\n",
        ],
    ),
    (
        Format::Nfdump,
        "",
        [
            "{\"first\":\"2026-01-01T00:00:05.000\",\"last\":\"2026-01-01T00:00:06.000\",\"proto\":17,\"src4_addr\":\"10.0.0.1\",\"dst4_addr\":\"192.0.2.1\",\"src_port\":1,\"dst_port\":2,\"in_packets\":3,\"in_bytes\":300}\n",
            "{\"first\":\"2026-01-01T00:00:07.000\",\"last\":\"2026-01-01T00:00:08.000\",\"proto\":17,\"src4_addr\":\"10.0.0.1\",\"dst4_addr\":\"192.0.2.1\",\"src_port\":3,\"dst_port\":4,\"in_packets\":3,\"in_bytes\":300}\n",
        ],
    ),
    (
        Format::Argus,
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n",
        [
            "2026/01/01 00:00:05.000000,1.0,udp,10.0.0.1,1,  <->,192.0.2.1,2,CON,0,0,4,400,300,x\n",
            "2026/01/01 00:00:07.000000,1.0,udp,10.0.0.1,3,  <->,192.0.2.1,4,CON,0,0,4,400,300,x\n",
        ],
    ),
    // The columns in another order.
    (
        Format::Argus,
        "SrcAddr,Sport,Dir,DstAddr,Dport,Proto,State,StartTime,LastTime,SrcPkts,DstPkts,SrcBytes,DstBytes\n",
        [
            "10.0.0.1,1,<->,192.0.2.1,2,udp,CON,2026/01/01 00:00:05.000000,2026/01/01 00:00:06.000000,3,1,300,100\n",
            "10.0.0.1,3,<->,192.0.2.1,4,udp,CON,2026/01/01 00:00:07.000000,2026/01/01 00:00:08.000000,3,1,300,100\n",
        ],
    ),
    (
        Format::Suricata,
        "",
        [
            "{\"timestamp\":\"2026-01-01T00:00:09.000000+0000\",\"event_type\":\"flow\",\"src_ip\":\"10.0.0.1\",\"src_port\":1,\"dest_ip\":\"192.0.2.1\",\"dest_port\":2,\"proto\":\"UDP\",\"flow\":{\"pkts_toserver\":3,\"pkts_toclient\":1,\"bytes_toserver\":300,\"bytes_toclient\":90,\"start\":\"2026-01-01T00:00:05.000000+0000\",\"end\":\"2026-01-01T00:00:06.000000+0000\"}}\n",
            "{\"timestamp\":\"2026-01-01T00:00:09.000000+0000\",\"event_type\":\"flow\",\"src_ip\":\"10.0.0.1\",\"src_port\":3,\"dest_ip\":\"192.0.2.1\",\"dest_port\":4,\"proto\":\"UDP\",\"flow\":{\"pkts_toserver\":3,\"pkts_toclient\":1,\"bytes_toserver\":300,\"bytes_toclient\":90,\"start\":\"2026-01-01T00:00:07.000000+0000\",\"end\":\"2026-01-01T00:00:08.000000+0000\"}}\n",
        ],
    ),
];

fn read(format: Format, content: impl AsRef<[u8]> + Send + 'static) -> (Vec<Flow>, ReadReport) {
    let options = ReadOptions::new()
        .with_policy(Policy::Skip)
        .with_format(format);
    let source = Source::from_reader("log", Cursor::new(content), &options).unwrap();
    let mut reader = source.into_flows().unwrap();
    let mut flows: Vec<Flow> = reader.by_ref().flatten().collect();
    flows.sort_by_key(|flow| flow.src.port);
    (flows, reader.into_report())
}

fn ports(flows: &[Flow]) -> Vec<u16> {
    flows.iter().map(|flow| flow.src.port).collect()
}

#[test]
fn ends_of_lines_marks_and_blank_lines_change_nothing() {
    for (format, header, rows) in LOGS {
        let text = format!("{header}{}", rows.concat());
        assert_eq!(Format::detect(text.as_bytes()), Some(format), "{text}");
        let (flows, report) = read(format, text.clone());
        assert_eq!(
            (ports(&flows), report.skipped_records()),
            (vec![1, 3], 0),
            "{text}"
        );
        let variants = [
            text.trim_end().to_owned(),
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("\u{feff}{}", text.replace('\n', "\r\n")),
            text.clone() + "\n\r\n\n",
        ];
        for variant in variants {
            assert_eq!(
                Format::detect(variant.as_bytes()),
                Some(format),
                "{variant:?}"
            );
            let (same, report) = read(Format::Auto, variant.clone());
            assert_eq!(same, flows, "{variant:?}");
            assert_eq!(report.skipped_records(), 0, "{variant:?}");
        }
        // A header alone: no flows, and no fault.
        if !header.is_empty() {
            let (flows, report) = read(Format::Auto, header);
            assert!(flows.is_empty() && report.records == 0, "{header}");
            assert!(report.ended_by.is_none() && report.digest.is_some());
        }
    }
}

#[test]
fn a_spoilt_line_is_skipped_and_counted() {
    for (format, header, [first, second]) in LOGS {
        for spoilt in [
            "\0\0\0\0\n",
            "\u{fffd}\u{1}x\n",
            &first.replace("10.0.0.1", "10.0.0\0.1"),
        ] {
            let (flows, report) = read(format, format!("{header}{first}{spoilt}{second}"));
            assert_eq!(ports(&flows), [1, 3], "{format} {spoilt:?}");
            assert_eq!(
                report.skipped_records(),
                1,
                "{format} {spoilt:?}: {report:?}"
            );
            assert!(report.first_errors[0].starts_with("log:"), "{report:?}");
        }
    }
}

#[test]
fn a_log_of_whatever_length_is_read_up_to_its_end() {
    for (format, header, rows) in LOGS {
        let text = format!("{header}{}", rows.concat());
        for cut in 0..text.len() {
            let options = ReadOptions::new()
                .with_policy(Policy::Skip)
                .with_format(format);
            let content = Cursor::new(text.as_bytes()[..cut].to_vec());
            let Ok(source) = Source::from_reader("log", content, &options) else {
                assert_eq!(cut, 0);
                continue;
            };
            let Ok(mut reader) = source.into_flows() else {
                continue;
            };
            let flows = reader.by_ref().flatten().count();
            // The first row whole, the second one cut: a cut number may still be one.
            let whole = header.len() + rows[0].len();
            assert!(
                flows >= usize::from(cut >= whole) && flows <= 2,
                "{format} {cut}"
            );
        }
    }
}

/// Makes as many bytes as asked for without holding them.
fn endless(header: &'static str, line: u64, rows: &'static str) -> impl Read + Send + 'static {
    header
        .as_bytes()
        .chain(std::io::repeat(b'1').take(line))
        .chain(&b"\n"[..])
        .chain(rows.as_bytes())
}

#[test]
fn a_line_of_a_hundred_megabytes_is_passed_over() {
    for (format, header, rows) in LOGS {
        let options = ReadOptions::new()
            .with_policy(Policy::Skip)
            .with_format(format);
        let input = endless(header, 100_000_000, rows[0]);
        let source = Source::from_reader("log", input, &options).unwrap();
        let mut reader = source.into_flows().unwrap();
        let flows: Vec<Flow> = reader.by_ref().flatten().collect();
        assert_eq!(ports(&flows), [1], "{format}");
        let report = reader.into_report();
        assert_eq!(
            report.skipped.get(&FaultKind::LineLength),
            Some(&1),
            "{format}"
        );
    }
}

#[test]
fn what_is_no_log_says_so() {
    for text in ["\n", "\0", "hello", "1 2 3 4\n", "{}", "[]", "a,b,c\n"] {
        let error = Source::from_reader("log", Cursor::new(text), &ReadOptions::new())
            .and_then(Source::into_flows)
            .map(|mut flows| flows.next());
        let fault = match error {
            Err(error) | Ok(Some(Err(error))) => error.fault,
            Ok(other) => unreachable!("{text:?}: {other:?}"),
        };
        assert!(!matches!(fault, Fault::Io(_)), "{text:?}: {fault}");
    }
}

/// Outputs of one tool behind each other, each with its header: a further header is no record, and
/// says what the columns behind it are.
#[test]
fn concatenated_logs_are_read_whole() {
    for (format, header, rows) in LOGS {
        let log = format!("{header}{}", rows.concat());
        let (flows, report) = read(format, log.repeat(3));
        let packets: u64 = flows.iter().map(|flow| flow.fwd.packets).sum();
        let (alone, _) = read(format, log);
        let expected: u64 = alone.iter().map(|flow| flow.fwd.packets).sum();
        assert_eq!((packets, report.records), (3 * expected, 6), "{header}");
        assert_eq!((report.skipped_records(), report.ended_by), (0, None));
    }
    // A summary stands between them.
    let (format, header, rows) = LOGS[4];
    let summary = "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n2,1056,6,1,1,1\n";
    let first = format!("{header}{}{summary}", rows[0]);
    let (flows, report) = read(format, format!("{first}{header}{}{summary}", rows[1]));
    assert_eq!((ports(&flows), report.skipped_records()), (vec![1, 3], 0));
}

#[test]
fn a_further_header_may_name_the_columns_in_another_order() {
    let (format, header, [first, second]) = LOGS[0];
    let swapped = header.replace("fwd_packets,fwd_bytes", "fwd_bytes,fwd_packets");
    let text = format!(
        "{header}{first}{swapped}{}",
        second.replace("3,300", "300,3")
    );
    let (flows, report) = read(format, text);
    assert_eq!((ports(&flows), report.skipped_records()), (vec![1, 3], 0));
    assert_eq!(flows[0].fwd, flows[1].fwd);
    // One that cannot be used ends the reading: what follows could be anything.
    let bad = header.replace("fwd_packets", "packets");
    let (flows, report) = read(format, format!("{header}{first}{bad}{second}"));
    assert_eq!(ports(&flows), [1]);
    let message = report.ended_by.unwrap();
    assert!(
        message.contains("log:3") && message.contains("packets"),
        "{message}"
    );
}
