//! Logs made here, in every layout, read back; and bytes that are no logs.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fmt::Write as _;

use peerscope_flow::Handshake::{Complete, Failed, Unknown};
use peerscope_flow::{
    Application, Endpoint, Flow, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};
use peerscope_read::{
    ArgusReader, FaultKind, Format, NfdumpReader, Policy, ReadOptions, Record, Source,
    StatedInitiator, SuricataReader, TcpFlags, TstatReader, tstat_logs,
};
use proptest::prelude::*;

const TCP2: &str = "#c_ip:1 c_port:2 c_pkts_all:3 c_rst_cnt:4 c_ack_cnt:5 c_bytes_all:9 c_syn_cnt:13 \
    s_ip:45 s_port:46 s_pkts_all:47 s_bytes_uniq:51 s_bytes_all:53 s_syn_cnt:57 durat:89 first:90 \
    last:91 first_abs:98 con_t:101 p2p_t:102";
const TCP3: &str = "#01#c_ip:1 c_port:2 c_pkts_all:3 c_rst_cnt:4 c_ack_cnt:5 c_bytes_all:9 c_syn_cnt:13 \
    s_ip:15 s_port:16 s_pkts_all:17 s_bytes_uniq:21 s_bytes_all:23 s_syn_cnt:27 durat:31 first:29 \
    last:30 con_t:42 p2p_t:43";
const UDP3: &str = "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 c_bytes_all:5 c_pkts_all:6 c_isint:7 \
    c_iscrypto:8 c_type:9 s_ip:10 s_port:11 s_first_abs:12 s_durat:13 s_bytes_all:14 s_pkts_all:15 \
    s_isint:16 s_iscrypto:17 s_type:18";
const BINETFLOW: &str = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,\
    TotBytes,SrcBytes,Label";

fn span(start: i64, end: i64) -> Span {
    Span::new(Timestamp::from_micros(start), Timestamp::from_micros(end)).unwrap()
}

fn end(ip: &str, port: u16) -> Endpoint {
    Endpoint::new(ip.parse().unwrap(), port)
}

fn tstat(text: &str) -> Vec<Result<Flow, String>> {
    let flows = TstatReader::new("log", text.as_bytes(), &ReadOptions::new());
    flows
        .map(|flow| flow.map_err(|error| error.to_string()))
        .collect()
}

/// All flows of a text, whose format must be recognised.
fn open(text: &str, format: Format) -> (Vec<Flow>, peerscope_read::ReadReport) {
    open_with(text, format, &ReadOptions::new())
}

fn open_with(
    text: &str,
    format: Format,
    options: &ReadOptions,
) -> (Vec<Flow>, peerscope_read::ReadReport) {
    let input = std::io::Cursor::new(text.to_owned().into_bytes());
    let source = Source::from_reader("log", input, options).unwrap();
    assert_eq!(source.format(), format);
    let mut reader = source.into_flows().unwrap();
    let flows = reader.by_ref().collect::<Result<_, _>>().unwrap();
    (flows, reader.into_report())
}

#[test]
fn tstat_tcp_of_both_layouts() {
    // first is relative in Tstat 2, and absolute in Tstat 3.
    let row2 = "10.0.0.1 50000 9 0 8 700 1 192.0.2.1 4662 7 300 310 1 2500.5 12.25 2512.75 \
        1400103796934.199951 256 1";
    let row3 = "10.0.0.1 50000 9 0 8 700 1 192.0.2.1 4662 7 300 310 1 2500.5 1400103796934.199951 \
        1400103799434.699951 256 1 more.than.the.header";
    let expected = Flow {
        handshake: Some(Complete),
        initiator: InitiatorEvidence::SynSeen,
        fwd: Volume::new(9, 700 + 9 * 40),
        rev: Volume::new(7, 310 + 7 * 40),
        rev_payload_bytes: Some(300),
        app: Some(Application::EMule),
        ..Flow::new(
            Transport::Tcp,
            end("10.0.0.1", 50_000),
            end("192.0.2.1", 4662),
            span(1_400_103_796_934_200, 1_400_103_799_434_700),
        )
    };
    for (header, row) in [(TCP2, row2), (TCP3, row3)] {
        let (flows, report) = open(&format!("{header}\n{row}\n"), Format::Tstat);
        assert_eq!(flows, std::slice::from_ref(&expected));
        assert_eq!(report.records, 1);
    }
}

#[test]
fn tstat_handshakes_and_labels() {
    let row = |c_syn, s_syn, acks, con_t, p2p_t| {
        format!(
            "2001:db8::1 1 2 0 {acks} 0 {c_syn} 2001:db8::2 2 1 0 0 {s_syn} 0 5 5 {con_t} {p2p_t}\n"
        )
    };
    let text = [
        row(1, 1, 1, 0, 9),
        row(1, 1, 0, 0, 18),
        row(3, 0, 0, 1, 0),
        row(0, 1, 1, 8192, 0),
        row(1, 1, 1, 131_072, 0),
        row(1, 1, 1, 256, 6),
    ];
    let flows = tstat(&format!("{TCP3}\n{}", text.concat()));
    let found: Vec<_> = flows
        .iter()
        .map(|flow| {
            let flow = flow.as_ref().unwrap();
            assert_eq!(flow.fwd, Volume::new(2, 120), "IPv6 headers have 40 bytes");
            let app = flow.app.as_ref().map_or("", Application::as_str);
            (flow.handshake.unwrap(), app)
        })
        .collect();
    assert_eq!(
        found,
        [
            (Complete, "bittorrent"),
            (Failed, "kadu"),
            (Failed, "http"),
            (Unknown, "tls"),
            (Complete, "bittorrent"),
            (Complete, ""),
        ]
    );
}

#[test]
fn tstat_udp_and_concatenated_logs() {
    let text = format!(
        "{UDP3}\n\
         10.0.0.1 4672 1000.5 1.25 35 1 1 0 0 192.0.2.1 4672 1100 2 700 2 0 0 9\n\
         10.0.0.1 4672 1000.5 1.25 35 1 1 0 20 192.0.2.1 4672 0 0 0 0 0 0 0\n\
         {TCP3}\n\
         10.0.0.1 1 1 0 0 0 1 192.0.2.1 2 0 0 0 0 0 5 5 0 0\n"
    );
    let (flows, _) = open(&text, Format::Tstat);
    assert_eq!(flows.len(), 3);
    assert_eq!(flows[0].span, span(1_000_500, 3_100_000));
    assert_eq!(flows[0].fwd, Volume::new(1, 63));
    assert_eq!(flows[0].rev, Volume::new(2, 756));
    assert_eq!(flows[0].app, Some(Application::Kad));
    assert_eq!(flows[0].rev_payload_bytes, Some(700));
    assert_eq!(flows[1].span, span(1_000_500, 2_250_500));
    assert_eq!(flows[1].app, Some(Application::BitTorrent));
    assert_eq!(flows[2].transport, Transport::Tcp);
}

#[test]
fn errors_name_line_column_and_value() {
    let good = "10.0.0.1 1 1 0 0 0 1 192.0.2.1 2 0 0 0 0 0 5 5 0 0";
    let bad = good.replace("192.0.2.1", "192.0.2.x");
    let flows = tstat(&format!("{TCP3}\n{good}\n{bad}\n{good}\n1 2 3\n"));
    assert_eq!(
        *flows[1].as_ref().unwrap_err(),
        "log:3: column \"s_ip\": \"192.0.2.x\" is not an IP address"
    );
    assert!(flows[2].is_ok());
    assert_eq!(
        *flows[3].as_ref().unwrap_err(),
        "log:5: 3 fields where the header has 18"
    );
    let missing = tstat(&TCP3.replace("durat:31", "d:31"));
    assert_eq!(
        *missing[0].as_ref().unwrap_err(),
        "log:1: column \"durat\" is missing"
    );
    assert!(tstat(good)[0].as_ref().unwrap_err().contains("no header"));

    let argus = |row: &str| {
        let text = format!("{BINETFLOW}\n{row}\n");
        let mut rows = ArgusReader::new("log", text.as_bytes(), &ReadOptions::new());
        rows.next().unwrap().unwrap_err().to_string()
    };
    let row = "2013/12/17 22:09:19.5,1,tcp,10.0.0.1,1,->,10.0.0.2,2,CON,0,0,2,120,60,";
    for (from, to, message) in [
        (
            "12/17",
            "13/17",
            "column \"StartTime\": \"2013/13/17 22:09:19.5\" is not an ISO 8601 time",
        ),
        ("->", "=>", "column \"Dir\": \"=>\" is not a direction"),
        (
            "CON",
            "CAN",
            "column \"State\": \"CAN\" is not a connection state",
        ),
        ("tcp", "tpc", "column \"Proto\": \"tpc\" is not a transport"),
        (
            ",60,",
            ",160,",
            "column \"SrcBytes\": \"160\" is more than both sides together",
        ),
        (
            ",1,->",
            ",0x1ffff,->",
            "column \"Sport\": \"0x1ffff\" is not a port",
        ),
    ] {
        assert_eq!(argus(&row.replace(from, to)), format!("log:2: {message}"));
    }
}

#[test]
fn a_run_of_tstat_is_its_logs_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("2014_05_14_23_44.out");
    std::fs::create_dir(&run).unwrap();
    for name in [
        "log_udp_complete",
        "log_tcp_complete.gz",
        "log_tcp_nocomplete",
        "log_http_complete",
    ] {
        std::fs::write(run.join(name), "").unwrap();
    }
    let expected = [
        "log_tcp_complete.gz",
        "log_tcp_nocomplete",
        "log_udp_complete",
    ];
    let expected = expected.map(|name| run.join(name));
    // The run itself, and the folder of all runs.
    assert_eq!(tstat_logs(&run).unwrap(), expected);
    assert_eq!(tstat_logs(folder.path()).unwrap(), expected);
    let error = tstat_logs(folder.path().join("none")).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

#[test]
fn argus_rows_join_and_the_rest_is_counted() {
    let text = format!(
        "{BINETFLOW}\n\
         1970/01/01 01:00:00.000000,0.0,llc,00:00:00:00:00:00,0,   ->,00:00:00:00:00:00,0,INT,,,1,60,60,\n\
         1970/01/01 01:00:01.000000,2.0,arp,0.0.0.0,,  who,192.168.1.1,,INT,,,3,126,126,\n\
         1970/01/01 01:00:02.000000,1.5,tcp,10.0.0.1,0xc350,   ->,10.0.0.2,0x1236,CON,0,0,9,900,500,\n\
         1970/01/01 01:01:02.000000,1.5,tcp,10.0.0.1,50000,   ->,10.0.0.2,4662,FIN,0,0,4,264,132,\n\
         1970/01/01 01:00:03.000000,0.0,udp,10.0.0.1,4672,  <->,10.0.0.2,4672,INT,0,,1,77,77,\n\
         1970/01/01 01:00:04.000000,0.0,icmp,10.0.0.1,0x0008,   ->,10.0.0.2,0xcb02,ECO,0,,1,98,98,\n"
    );
    let options = ReadOptions::new().with_utc_offset(3600);
    let (mut flows, report) = open_with(&text, Format::Argus, &options);
    flows.sort_by_key(|flow| flow.span.start());
    assert_eq!(report.records, 6);
    assert_eq!(report.skipped.get(&FaultKind::NotIp), Some(&2));
    assert_eq!(report.ended_by, None);
    assert_eq!(flows.len(), 3);
    assert_eq!(flows[0].span, span(2_000_000, 63_500_000));
    assert_eq!((flows[0].src.port, flows[0].dst.port), (50_000, 4662));
    assert_eq!(flows[0].handshake, Some(Complete));
    // 9 packets of 500 and 400 bytes: 5 and 4; less 14 for each; and 2 and 2.
    assert_eq!(flows[0].fwd, Volume::new(7, 500 - 70 + 132 - 28));
    assert_eq!(flows[0].rev, Volume::new(6, 400 - 56 + 132 - 28));
    assert_eq!(
        (flows[1].fwd, flows[1].rev),
        (Volume::new(1, 63), Volume::ZERO)
    );
    assert_eq!(flows[2].key().to_string(), "icmp 10.0.0.1:0 > 10.0.0.2:0");
    let (flows, _) = open_with(&text, Format::Argus, &options.with_link_header(0));
    assert_eq!(
        flows.iter().map(|flow| flow.fwd.bytes).sum::<u64>(),
        632 + 77 + 98
    );
}

#[test]
fn suricata_flows_among_other_events() {
    let text = concat!(
        r#"{"timestamp":"2020-02-29T00:00:12.734324+0000","event_type":"dns","src_ip":"192.168.10.154"}"#,
        "\n",
        r#"{"timestamp":"2020-02-29T00:00:14.000538+0000","event_type":"flow","src_ip":"192.168.10.154","src_port":46289,"dest_ip":"10.18.255.254","dest_port":53,"proto":"UDP","app_proto":"dns","flow":{"pkts_toserver":1,"pkts_toclient":1,"bytes_toserver":87,"bytes_toclient":142,"start":"2020-02-28T23:55:12.974271+0000","end":"2020-02-29T00:55:13.085657+0100","age":1,"state":"established","reason":"timeout"}}"#,
        "\n",
        r#"{"event_type":"flow","src_ip":"10.0.0.1","src_port":50000,"dest_ip":"10.0.0.2","dest_port":6881,"proto":"TCP","app_proto":"failed","flow":{"pkts_toserver":2,"pkts_toclient":2,"bytes_toserver":148,"bytes_toclient":108,"start":"2020-02-28T23:55:12Z","end":"2020-02-28T23:55:13Z","state":"closed"},"tcp":{"tcp_flags_ts":"02","tcp_flags_tc":"14"}}"#,
        "\n",
        r#"{"event_type":"flow","src_ip":"10.0.0.3","src_port":1,"dest_ip":"10.0.0.2","dest_port":6881,"proto":"TCP","app_proto":"bittorrent-dht","flow":{"pkts_toserver":9,"pkts_toclient":9,"bytes_toserver":900,"bytes_toclient":900,"start":"2020-02-28T23:55:12Z","end":"2020-02-28T23:55:13Z","state":"established"}}"#,
        "\n",
    );
    let (mut flows, report) = open(text, Format::Suricata);
    flows.sort_by_key(Flow::key);
    assert_eq!(report.records, 3);
    let [refused, open, dns] = &flows[..] else {
        unreachable!("three flows, not {}", flows.len())
    };
    assert_eq!(dns.span, span(1_582_934_112_974_271, 1_582_934_113_085_657));
    assert_eq!(
        (dns.fwd, dns.rev),
        (Volume::new(1, 73), Volume::new(1, 128))
    );
    assert_eq!(dns.app, Some(Application::Dns));
    assert_eq!(refused.handshake, Some(Failed));
    assert_eq!(refused.fwd, Volume::new(2, 120));
    assert_eq!(
        (refused.initiator, &refused.app),
        (InitiatorEvidence::Exporter, &None)
    );
    assert_eq!(open.handshake, Some(Complete));
    assert_eq!(open.app, Some(Application::BitTorrent));
}

#[test]
fn nfdump_prints_summaries_and_biflows() {
    let text = "\
ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt
2026-11-21 16:40:04,2026-11-21 16:40:06,1.884,10.0.0.1,10.0.0.2,3,771.0,ICMP,........,0,0,1,56,0,0
2026-11-21 16:40:04,2026-11-21 16:40:06,1.884,10.0.0.1,10.0.0.2,50000,53,UDP,........,0,0,2,100,3,900
Summary
flows,bytes,packets,avg_bps,avg_pps,avg_bpp
2,1056,6,1,1,1
";
    let (mut flows, report) = open(text, Format::Nfdump);
    flows.sort_by_key(Flow::key);
    assert_eq!(report.records, 2);
    assert_eq!(flows[0].rev, Volume::new(3, 900));
    assert_eq!(flows[1].key().to_string(), "icmp 10.0.0.1:0 > 10.0.0.2:0");
    let new = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n\
               2026-11-21 16:40:04.5,1.25,UDP,10.0.0.1,1,10.0.0.2,2,3,400,1\n";
    let (flows, _) = open(new, Format::Nfdump);
    assert_eq!(flows[0].span.micros(), 1_250_000);
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let v4 = any::<[u8; 4]>().prop_map(std::net::IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(std::net::IpAddr::from);
    (prop_oneof![v4, v6], any::<u16>()).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

/// A record as every exporter's log can hold it, to the millisecond.
fn record() -> impl Strategy<Value = Record> {
    let packets = || (1..1_000_000_u64, 60..1500_u64);
    (
        (any::<bool>(), any::<u8>(), endpoint(), endpoint()),
        (0..4_000_000_000_000_i64, 0..4_000_000_i64),
        packets(),
        prop::option::of(packets()),
    )
        .prop_map(|((tcp, flags, src, dst), (start, length), fwd, rev)| {
            let transport = if tcp { Transport::Tcp } else { Transport::Udp };
            let span = span(start * 1000, (start + length) * 1000);
            let volume = |(packets, size): (u64, u64)| Volume::new(packets, packets * size);
            Record {
                fwd: volume(fwd),
                rev: rev.map(volume),
                fwd_flags: tcp.then_some(TcpFlags::from_bits(flags)),
                ..Record::new(transport, src, dst, span)
            }
        })
}

fn civil(time: Timestamp, format: &str) -> String {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap();
    time.strftime(format).to_string()
}

proptest! {
    #[test]
    fn nfdump_round_trips(records in prop::collection::vec(record(), 1..8)) {
        let mut csv = "ts,te,pr,sa,sp,da,dp,flg,ipkt,ibyt,opkt,obyt\n".to_owned();
        let mut json = "[\n".to_owned();
        for record in &records {
            let Record { transport, src, dst, span, fwd, .. } = record;
            let rev = record.rev.unwrap_or_default();
            let flags = record.fwd_flags.unwrap_or_default();
            let (first, last) = (span.start(), span.end());
            let plain = |time| civil(time, "%Y-%m-%d %H:%M:%S%.3f");
            let iso = |time| civil(time, "%Y-%m-%dT%H:%M:%S%.3f");
            writeln!(
                csv,
                "{},{},{},{},{},{},{},{flags},{},{},{},{}",
                plain(first), plain(last), transport.to_string().to_uppercase(), src.ip, src.port,
                dst.ip, dst.port, fwd.packets, fwd.bytes, rev.packets, rev.bytes
            ).unwrap();
            let version = if src.ip.is_ipv4() { 4 } else { 6 };
            let other = if dst.ip.is_ipv4() { 4 } else { 6 };
            write!(
                json,
                "{{\n\t\"type\" : \"FLOW\",\n\t\"sampled\" : 0,\n\t\"t_first\" : \"{}\",\n\t\"t_last\" : \
                 \"{}\",\n\t\"proto\" : {},\n\t\"src{version}_addr\" : \"{}\",\n\t\"dst{other}_addr\" : \
                 \"{}\",\n\t\"src_port\" : {},\n\t\"dst_port\" : {},\n\t\"tcp_flags\" : \"{flags}\",\n\t\
                 \"in_packets\" : {},\n\t\"in_bytes\" : {},\n\t\"out_packets\" : {},\n\t\"out_bytes\" : {},\n\t\
                 \"label\" : \"}}\\\"{{\"\n}}\n,\n",
                iso(first), iso(last), transport.number(), src.ip, dst.ip, src.port, dst.port,
                fwd.packets, fwd.bytes, rev.packets, rev.bytes
            ).unwrap();
        }
        json.push_str("]\n");
        for text in [csv, json] {
            prop_assert_eq!(Format::detect(text.as_bytes()), Some(Format::Nfdump));
            let read: Vec<_> = NfdumpReader::new("flows", text.as_bytes(), &ReadOptions::new())
                .collect::<Result<_, _>>()
                .unwrap();
            prop_assert_eq!(&read, &records);
        }
    }

    #[test]
    fn argus_and_suricata_round_trip(records in prop::collection::vec(record(), 1..8)) {
        let mut argus = "StartTime,LastTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,\
            SrcBytes,DstBytes,State\n".to_owned();
        let mut eve = String::new();
        for record in &records {
            let Record { transport, src, dst, span, fwd, .. } = record;
            let rev = record.rev.unwrap_or_default();
            let frames = |volume: Volume| volume.bytes + 14 * volume.packets;
            let flags = record.fwd_flags.unwrap_or_default();
            let letters = flags.to_string().replace('.', "");
            let state = if *transport == Transport::Tcp { format!("{letters}_") } else { "CON".into() };
            writeln!(
                argus,
                "{},{},{transport},{},{},   ->,{},{},{},{},{},{},{state}",
                civil(span.start(), "%Y/%m/%d %H:%M:%S%.6f"), civil(span.end(), "%Y/%m/%d %H:%M:%S%.6f"),
                src.ip, src.port, dst.ip, dst.port, fwd.packets, rev.packets, frames(*fwd), frames(rev)
            ).unwrap();
            let iso = |time| civil(time, "%Y-%m-%dT%H:%M:%S%.6f+0000");
            writeln!(
                eve,
                "{{\"event_type\":\"flow\",\"src_ip\":\"{}\",\"src_port\":{},\"dest_ip\":\"{}\",\
                 \"dest_port\":{},\"proto\":\"{}\",\"flow\":{{\"pkts_toserver\":{},\"pkts_toclient\":{},\
                 \"bytes_toserver\":{},\"bytes_toclient\":{},\"start\":\"{}\",\"end\":\"{}\"}},\
                 \"tcp\":{{\"tcp_flags_ts\":\"{:02x}\",\"tcp_flags_tc\":\"00\"}}}}",
                src.ip, src.port, dst.ip, dst.port, transport.to_string().to_uppercase(), fwd.packets,
                rev.packets, frames(*fwd), frames(rev), iso(span.start()), iso(span.end()), flags.bits()
            ).unwrap();
        }
        let expected: Vec<_> = records
            .iter()
            .map(|record| Record {
                rev: Some(record.rev.unwrap_or_default()),
                rev_flags: record.fwd_flags.map(|_| TcpFlags::default()),
                initiator: StatedInitiator::Src,
                ..record.clone()
            })
            .collect();
        prop_assert_eq!(Format::detect(argus.as_bytes()), Some(Format::Argus));
        prop_assert_eq!(Format::detect(eve.as_bytes()), Some(Format::Suricata));
        let options = ReadOptions::new();
        let read: Vec<_> = ArgusReader::new("ra", argus.as_bytes(), &options)
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(&read, &expected);
        let read: Vec<_> = SuricataReader::new("eve", eve.as_bytes(), &options)
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(&read, &expected);
    }

    #[test]
    fn tstat_round_trips(
        ends in (endpoint(), endpoint()),
        start in 0..4_000_000_000_000_000_i64,
        length in 0..4_000_000_000_i64,
        counts in (0..1_000_000_u64, 0..1_000_000_u64, 0..1_000_000_u64, 0..1_000_000_u64),
    ) {
        let (c, s) = ends;
        let (c_packets, c_bytes, s_packets, s_bytes) = counts;
        let millis = |micros: i64| format!("{}.{:03}", micros / 1000, micros % 1000);
        let row = format!(
            "{} {} {c_packets} 0 1 {c_bytes} 1 {} {} {s_packets} {s_bytes} {s_bytes} 1 {} {} 0 0 0",
            c.ip, c.port, s.ip, s.port, millis(length), millis(start)
        );
        let flows = tstat(&format!("{TCP3}\n{row}\n"));
        let flow = flows[0].as_ref().unwrap();
        prop_assert_eq!((flow.src, flow.dst), (c, s));
        prop_assert_eq!(flow.span, span(start, start + length));
        let header = if c.ip.is_ipv4() { 40 } else { 60 };
        prop_assert_eq!(flow.fwd, Volume::new(c_packets, c_bytes + header * c_packets));
        prop_assert_eq!(flow.rev_payload_bytes, Some(s_bytes));
    }

    #[test]
    fn any_lines_after_a_header_are_read_or_refused(
        header in 0..HEADERS.len(),
        lines in prop::collection::vec("[0-9a-fx.:,{}\"\\[\\] \tSAPUDTC_>/-]{0,60}", 0..6),
        bytes: Vec<u8>,
    ) {
        let mut text = format!("{}\n{}\n", HEADERS[header], lines.join("\n")).into_bytes();
        text.extend(bytes);
        let options = ReadOptions::new().with_policy(Policy::Skip).with_max_line(300);
        let source = Source::from_reader("any", std::io::Cursor::new(text), &options).unwrap();
        let mut flows = source.into_flows().unwrap();
        for _ in flows.by_ref() {}
        let report = flows.into_report();
        if let Some(feed) = &report.feed {
            prop_assert_eq!(feed.records + report.skipped_records(), report.records);
        }
    }
}

const HEADERS: [&str; 7] = [
    TCP2,
    TCP3,
    UDP3,
    BINETFLOW,
    "ts,te,pr,sa,sp,da,dp,flg,ipkt,ibyt",
    "{\"in_packets\":1,\"src4_addr\":\"10.0.0.1\"}",
    "{\"event_type\":\"flow\"}",
];
