//! Zeek's conn.log, tab-separated with a header or JSON lines.

mod history;
mod json;
mod reader;
mod record;
mod tsv;

pub use reader::ZeekReader;

/// Whether the content is a Zeek log: its first lines are comments that name the separator or the
/// fields, or JSON with a connection's originator.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    match lines.find(|line| !line.is_empty()) {
        Some(line) if line.starts_with(b"{") => {
            memchr::memmem::find(line, br#""id.orig_h""#).is_some()
        }
        Some(line) if line.starts_with(b"#") => std::iter::once(line)
            .chain(lines.take_while(|line| line.starts_with(b"#")))
            .any(|line| line.starts_with(b"#separator") || line.starts_with(b"#fields")),
        _ => false,
    }
}
