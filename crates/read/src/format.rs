//! The formats and how each is recognised by its content.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A file format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Format {
    /// Whatever the content is recognised as.
    #[default]
    Auto,
    /// The canonical flow CSV.
    Csv,
    /// Zeek's conn.log, tab-separated or JSON lines.
    Zeek,
    /// Tstat's TCP and UDP logs.
    Tstat,
    /// What nfdump prints, CSV or JSON.
    Nfdump,
    /// What Argus' `ra` prints, CSV or .binetflow.
    Argus,
    /// Suricata's eve.json.
    Suricata,
    /// A packet capture, pcap or pcapng: recognised here, but metered elsewhere.
    Pcap,
    /// The canonical flow Parquet file.
    Parquet,
    /// A capture of NetFlow v5, v9 and IPFIX packets, or an IPFIX file.
    Netflow,
}

/// Text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a format: expected {list}", list = Format::names())]
#[non_exhaustive]
pub struct FormatError(pub String);

/// One line of the table of formats. A new format is one more line, and one module.
struct Row {
    format: Format,
    name: &'static str,
    /// Whether content that begins so is of this format.
    recognise: fn(&[u8]) -> bool,
}

const FORMATS: [Row; 10] = [
    Row {
        format: Format::Auto,
        name: "auto",
        recognise: |_| false,
    },
    Row {
        format: Format::Csv,
        name: "csv",
        recognise: crate::csv::recognise,
    },
    Row {
        format: Format::Zeek,
        name: "zeek",
        recognise: crate::zeek::recognise,
    },
    Row {
        format: Format::Tstat,
        name: "tstat",
        recognise: crate::tstat::recognise,
    },
    Row {
        format: Format::Nfdump,
        name: "nfdump",
        recognise: crate::nfdump::recognise,
    },
    Row {
        format: Format::Argus,
        name: "argus",
        recognise: crate::argus::recognise,
    },
    Row {
        format: Format::Suricata,
        name: "suricata",
        recognise: crate::suricata::recognise,
    },
    // Before the capture that it is by its first bytes.
    Row {
        format: Format::Netflow,
        name: "netflow",
        #[cfg(feature = "netflow")]
        recognise: crate::export::recognise,
        #[cfg(not(feature = "netflow"))]
        recognise: |_| false,
    },
    Row {
        format: Format::Pcap,
        name: "pcap",
        recognise: is_capture,
    },
    Row {
        format: Format::Parquet,
        name: "parquet",
        recognise: |head| head.starts_with(b"PAR1"),
    },
];

impl Format {
    /// The name, as given to [`Format::from_str`].
    pub fn as_str(self) -> &'static str {
        FORMATS
            .iter()
            .find(|row| row.format == self)
            .map_or("auto", |row| row.name)
    }

    /// The format of content that begins with `head`, if it is a known one.
    ///
    /// The more of the first lines `head` holds, the better; 64 KiB are plenty.
    pub fn detect(head: &[u8]) -> Option<Self> {
        let head = crate::lines::without_mark(head);
        FORMATS
            .iter()
            .find(|row| (row.recognise)(head))
            .map(|row| row.format)
    }

    fn names() -> String {
        FORMATS.map(|row| row.name).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        FORMATS
            .iter()
            .find(|row| row.name.eq_ignore_ascii_case(text))
            .map(|row| row.format)
            .ok_or_else(|| FormatError(text.to_owned()))
    }
}

/// The magic numbers of pcap (micro- and nanoseconds, Kuznetzov's variant, either byte order) and
/// of pcapng.
fn is_capture(head: &[u8]) -> bool {
    let Some(magic) = head.first_chunk::<4>().copied().map(u32::from_le_bytes) else {
        return false;
    };
    [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34_u32]
        .iter()
        .any(|&known| magic == known || magic.swap_bytes() == known)
        || magic == 0x0a0d_0d0a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for row in &FORMATS {
            assert_eq!(row.format.to_string().parse(), Ok(row.format));
        }
        let message = "tstat2".parse::<Format>().unwrap_err().to_string();
        assert!(message.contains("tstat2") && message.contains("parquet"));
    }

    #[test]
    fn content_decides() {
        let csv = format!("{}\n", crate::csv::HEADER);
        for (head, format) in [
            (csv.as_bytes(), Some(Format::Csv)),
            (b"app,end_us,start_us\r\n", Some(Format::Csv)),
            (b"#separator \\x09\n", Some(Format::Zeek)),
            (b"### note\n#fields\tts\tuid\n", Some(Format::Zeek)),
            (b"{\"ts\":1.5,\"id.orig_h\":\"::1\"}", Some(Format::Zeek)),
            (b"PAR1\x15\x04", Some(Format::Parquet)),
            (b"\xd4\xc3\xb2\xa1\x02\x00", Some(Format::Pcap)),
            (b"\xa1\xb2\x3c\x4d\x00\x02", Some(Format::Pcap)),
            (b"\x0a\x0d\x0d\x0a", Some(Format::Pcap)),
            (b"{\"event_type\":\"flow\"}", Some(Format::Suricata)),
            (b"hello,world\n1,2\n", None),
            (b"\x00", None),
            (b"", None),
        ] {
            assert_eq!(Format::detect(head), format, "{}", head.escape_ascii());
        }
    }
}
