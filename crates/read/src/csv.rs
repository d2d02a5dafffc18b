//! The canonical flow CSV: one flow a line, 14 columns.

mod reader;
mod writer;

pub use reader::CsvReader;
#[cfg(feature = "parquet")]
pub(crate) use reader::{check_handshake, handshake, label, transport};
#[cfg(feature = "parquet")]
pub(crate) use writer::checked;
pub use writer::{CsvWriter, WriteError};

/// The header of the canonical flow CSV.
pub const HEADER: &str = "start_us,end_us,transport,src_ip,src_port,dst_ip,dst_port,\
                          fwd_packets,fwd_bytes,rev_packets,rev_bytes,handshake,\
                          rev_payload_bytes,app";

/// The columns, in canonical order.
pub(crate) const COLUMNS: [&str; 14] = [
    "start_us",
    "end_us",
    "transport",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "fwd_packets",
    "fwd_bytes",
    "rev_packets",
    "rev_bytes",
    "handshake",
    "rev_payload_bytes",
    "app",
];

/// Whether the first line looks like our header, if perhaps a faulty one: three names suffice.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let known = |name: &[u8]| {
        let name = name.trim_ascii().strip_prefix(b"\"").unwrap_or(name);
        let name = name.strip_suffix(b"\"").unwrap_or(name);
        COLUMNS.iter().any(|column| column.as_bytes() == name)
    };
    line.split(|&byte| byte == b',')
        .filter(|name| known(name.trim_ascii()))
        .count()
        >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_columns() {
        assert_eq!(HEADER, COLUMNS.join(","));
    }
}
