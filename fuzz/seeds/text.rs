//! Logs and settings as text.

pub const CSV_QUOTED: &str = "\
app,start_us,end_us,transport,src_ip,src_port,dst_ip,dst_port,fwd_packets,fwd_bytes,rev_packets,rev_bytes,handshake,rev_payload_bytes\r
\"a \"\"b\"\", c\",1,2,6,10.0.0.1,1,\"::ffff:10.0.0.2\",2,1,40,0,0,unknown,\r
";

pub const ZEEK: [&str; 2] = [
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
1713484795.943239\tC1\t192.0.2.7\t25320\t10.0.0.1\t4662\ttcp\tssl\t1.000064\t9\t7\tSF\tShADadFf\t5\t260\t4\t212\n\
1713484796.5\tC2\t192.0.2.7\t1\t10.0.0.1\t2\tudp\t-\t-\t-\t-\tS0\t^D\t1\t60\t-\t-\n\
1713484796.5\tC3\t2001:db8::1\t8\t2001:db8::2\t0\ticmp\t-\t9.5e-05\t0\t0\tOTH\t-\t1\t60\t1\t60\n",
    "{\"ts\":1713484795.943239,\"uid\":\"C1\",\"id.orig_h\":\"192.0.2.7\",\"id.orig_p\":25320,\"id.resp_h\":\"10.0.0.1\",\"id.resp_p\":4662,\"proto\":\"tcp\",\"service\":\"ssl\",\"duration\":1.000064,\"orig_bytes\":9,\"resp_bytes\":7,\"conn_state\":\"S1\",\"history\":\"ShADad\",\"orig_pkts\":5,\"orig_ip_bytes\":260,\"resp_pkts\":4,\"resp_ip_bytes\":212}\n\
{\"ts\":\"2024-04-19T00:00:01.5Z\",\"uid\":\"C2\",\"id.orig_h\":\"192.0.2.7\",\"id.orig_p\":1,\"id.resp_h\":\"10.0.0.1\",\"id.resp_p\":2,\"proto\":\"udp\",\"conn_state\":\"S0\",\"history\":\"D\",\"orig_pkts\":1,\"orig_ip_bytes\":60,\"resp_pkts\":0,\"resp_ip_bytes\":0}\n",
];

pub const TSTAT: [&str; 3] = [
    "#c_ip:1 c_port:2 c_pkts_all:3 c_rst_cnt:4 c_ack_cnt:5 c_bytes_all:9 c_syn_cnt:13 s_ip:45 s_port:46 s_pkts_all:47 s_bytes_uniq:51 s_bytes_all:53 s_syn_cnt:57 durat:89 first:90 last:91 first_abs:98 con_t:101 p2p_t:102\n\
10.0.0.1 50000 9 0 8 700 1 192.0.2.1 4662 7 300 310 1 2500.5 12.25 2512.75 1400103796934.199951 256 1\n",
    "#01#c_ip:1 c_port:2 c_pkts_all:3 c_rst_cnt:4 c_ack_cnt:5 c_bytes_all:9 c_syn_cnt:13 s_ip:15 s_port:16 s_pkts_all:17 s_bytes_uniq:21 s_bytes_all:23 s_syn_cnt:27 durat:31 first:29 last:30 con_t:42 p2p_t:43\n\
10.0.0.1 50000 9 0 8 700 1 192.0.2.1 4662 7 300 310 1 2500.5 1400103796934.199951 1400103799434.699951 256 1\n",
    "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 c_bytes_all:5 c_pkts_all:6 c_isint:7 c_iscrypto:8 c_type:9 s_ip:10 s_port:11 s_first_abs:12 s_durat:13 s_bytes_all:14 s_pkts_all:15 s_isint:16 s_iscrypto:17 s_type:18\n\
10.0.0.1 4672 1000.5 1.25 35 1 1 0 0 192.0.2.1 4672 1100 2 700 2 0 0 9\n",
];

pub const NFDUMP: [&str; 3] = [
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n\
2026-11-21 16:40:04,2026-11-21 16:40:06,1.884,10.0.0.1,10.0.0.2,50000,53,UDP,........,0,0,2,100,3,900\n\
2026-11-21 16:40:04,2026-11-21 16:40:06,1.884,10.0.0.1,10.0.0.2,50000,4662,TCP,...AP.SF,0,0,2,100,0,0\n\
2026-11-21 16:40:05,2026-11-21 16:40:06,1.884,10.0.0.2,10.0.0.1,4662,50000,TCP,...A..S.,0,0,2,100,0,0\n\
Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n2,1056,6,1,1,1\n",
    "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n\
2026-11-21 16:40:04.5,1.25,UDP,10.0.0.1,1,10.0.0.2,2,3,400,1\n",
    "[\n{\n\t\"type\" : \"FLOW\",\n\t\"sampled\" : 0,\n\t\"t_first\" : \"2026-11-21T16:40:04.500\",\n\t\"t_last\" : \"2026-11-21T16:40:05.500\",\n\t\"proto\" : 6,\n\t\"src4_addr\" : \"10.0.0.1\",\n\t\"dst4_addr\" : \"10.0.0.2\",\n\t\"src_port\" : 1,\n\t\"dst_port\" : 2,\n\t\"tcp_flags\" : \"...AP.SF\",\n\t\"in_packets\" : 3,\n\t\"in_bytes\" : 400,\n\t\"label\" : \"}\\\"{\"\n}\n]\n",
];

pub const ARGUS: [&str; 2] = [
    "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n\
1970/01/01 01:00:00.000000,0.0,llc,00:00:00:00:00:00,0,   ->,00:00:00:00:00:00,0,INT,,,1,60,60,\n\
1970/01/01 01:00:02.000000,1.5,tcp,10.0.0.1,0xc350,   ->,10.0.0.2,0x1236,CON,0,0,9,900,500,\n\
1970/01/01 01:01:02.000000,1.5,tcp,10.0.0.1,50000,   ?>,10.0.0.2,4662,FSPA_FSA,0,0,4,264,132,\n\
1970/01/01 01:00:03.000000,0.0,udp,10.0.0.1,4672,  <->,10.0.0.2,4672,INT,0,,1,77,77,\n",
    "StartTime,LastTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State\n\
1700000000.123456,1700000001.5,tcp,2001:db8::1,1,<-,2001:db8::2,2,3,4,300,400,RST\n",
];

pub const SURICATA: [&str; 1] = [
    "{\"timestamp\":\"2020-02-29T00:00:12.734324+0000\",\"event_type\":\"dns\",\"src_ip\":\"192.0.2.1\"}\n\
{\"timestamp\":\"2020-02-29T00:00:14.000538+0000\",\"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\",\"src_port\":46289,\"dest_ip\":\"192.0.2.2\",\"dest_port\":53,\"proto\":\"UDP\",\"app_proto\":\"dns\",\"flow\":{\"pkts_toserver\":1,\"pkts_toclient\":1,\"bytes_toserver\":87,\"bytes_toclient\":142,\"start\":\"2020-02-28T23:55:12.974271+0000\",\"end\":\"2020-02-29T00:55:13.085657+0100\",\"age\":1,\"state\":\"established\"}}\n\
{\"event_type\":\"flow\",\"src_ip\":\"10.0.0.1\",\"src_port\":50000,\"dest_ip\":\"10.0.0.2\",\"dest_port\":6881,\"proto\":\"TCP\",\"app_proto\":\"failed\",\"flow\":{\"pkts_toserver\":2,\"pkts_toclient\":2,\"bytes_toserver\":148,\"bytes_toclient\":108,\"start\":\"2020-02-28T23:55:12Z\",\"end\":\"2020-02-28T23:55:13Z\",\"state\":\"closed\"},\"tcp\":{\"tcp_flags_ts\":\"02\",\"tcp_flags_tc\":\"14\"}}\n",
];

const RULES: &str = "[[rule]]\nname = \"uploads\"\nfamily = \"emule\"\nmetric = \"bps-sent-TCP\"\nsides = [\"high\"]\nexplanation = \"Sends much more than others\"\n";

const FAMILY: &str = "name = \"g\"\nlabels = [\"gnutella\", \"kad\"]\ntcp_ports = [\"6346-6349\", 80]\nsystem = \"h\"\ncontrol = { kad = \"k\" }\n";

/// The parser's number in the target, and text for it.
pub const SETTINGS: [(u8, &str); 16] = [
    (
        0,
        "family = \"bittorrent\"\nslot = 60\ntopology = { monitored = [\"10.0.0.0/16\"], provider = [\"10.0.0.0/8\"] }\n[correlate.heavy]\nmin_metrics = 3\n[[rule]]\nname = \"uploads\"\nmetric = \"bps-sent-TCP\"\nsides = [\"high\"]\nexplanation = \"Sends much\"\n",
    ),
    (0, "[family]\nname = \"x\"\nlabels = [\"x\"]\n[findings]\n"),
    (1, RULES),
    (
        1,
        include_str!("../../crates/correlate/rules/built-in.toml"),
    ),
    (
        2,
        "{\"rule\":[{\"name\":\"u\",\"metric\":\"bps-*-TCP\",\"sides\":[\"low\",\"noise\"],\"explanation\":\"e\"}]}",
    ),
    (
        3,
        "{\"monitored\":[\"10.10.0.0/16\",\"2001:db8::/32\"],\"provider\":[\"10.0.0.0/8\"]}",
    ),
    (
        4,
        "monitored = [\"10.10.0.0/16\", \"10.10.3.0/24\"]\nprovider = [\"10.10.2.0/23\", \"0.0.0.0/0\"]\n",
    ),
    (5, FAMILY),
    (
        6,
        "{\"name\":\"g\",\"labels\":[\"gnutella\"],\"tcp_ports\":[\"6346-6349\"]}",
    ),
    (7, "[departure]\n"),
    (8, include_str!("../../crates/simulate/presets/tiny.toml")),
    (9, "{\"version\":1,\"rules\":[]}"),
    (10, "6346-6349"),
    (10, "300"),
    (10, "udp"),
    (10, "1713484795.943239"),
];
