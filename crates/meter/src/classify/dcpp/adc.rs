//! ADC 1.0, the younger of the two protocols of Direct Connect.

use super::Payload;

/// Length of a client identifier: a Tiger hash of 192 bits in base 32.
const CLIENT_ID: usize = 39;
/// Length of a session identifier in base 32.
const SESSION_ID: usize = 4;
const TYPE_AND_COMMAND: usize = 4;

/// Whether the segment begins with a message between client and hub or between clients.
pub(super) fn is_message(payload: &Payload<'_>) -> bool {
    let Some((head, line)) = first_line(payload) else {
        return false;
    };
    let [kind, command @ ..] = head;
    match kind {
        // To or from the hub, or between clients: no address, so the arguments must tell.
        b'C' | b'H' | b'I' => match &command {
            b"SUP" => line.words().all(is_feature),
            b"SID" | b"QUI" => kind == b'I' && line.first(is_session_id),
            b"INF" => line.first(|word| is_hub_or_client_field(kind, word)),
            b"STA" => line.first(is_status),
            b"GPA" => kind == b'I' && line.first(is_base32),
            b"PAS" => kind == b'H' && line.first(is_base32),
            b"MSG" | b"CMD" => kind == b'I' && line.first(|word| !word.is_empty()),
            b"GET" | b"GFI" | b"SND" => line.first(is_namespace),
            _ => false,
        },
        // To all: the sender.
        b'B' => is_routed(command) && line.first(is_session_id),
        // To one: sender and receiver.
        b'D' | b'E' => is_routed(command) && line.words().take(2).all(is_session_id),
        // To those with features: the sender, and the features wanted or not.
        b'F' => {
            let feature = |word: Word<'_>| word.starts_with(b"+") || word.starts_with(b"-");
            is_routed(command)
                && line.first(is_session_id)
                && line.words().nth(1).is_some_and(feature)
        }
        _ => false,
    }
}

/// Whether the datagram is a message between clients: it begins with the sender's identifier.
pub(super) fn is_datagram(payload: &Payload<'_>) -> bool {
    let Some((head, line)) = first_line(payload) else {
        return false;
    };
    let known = matches!(
        &head,
        b"URES" | b"USCH" | b"USTA" | b"UPSR" | b"UINF" | b"UPNG"
    );
    known && line.first(|word| is_base32(word) && (word.len() == CLIENT_ID || word.is_cut))
}

/// The type letter with its command, and the words after it.
fn first_line<'a>(payload: &Payload<'a>) -> Option<([u8; TYPE_AND_COMMAND], Line<'a>)> {
    let (&head, rest) = payload.bytes.split_first_chunk::<TYPE_AND_COMMAND>()?;
    let rest = rest.strip_prefix(b" ")?;
    let end = rest.iter().position(|&byte| byte == b'\n');
    let line = Line {
        text: &rest[..end.unwrap_or(rest.len())],
        is_cut: end.is_none(),
    };
    Some((head, line))
}

/// The arguments of a message, as far as they were captured in this segment.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a [u8],
    is_cut: bool,
}

impl<'a> Line<'a> {
    fn words(self) -> impl Iterator<Item = Word<'a>> {
        let mut words = self.text.split(|&byte| byte == b' ').peekable();
        std::iter::from_fn(move || {
            let text = words.next()?;
            let is_cut = self.is_cut && words.peek().is_none();
            Some(Word { text, is_cut })
        })
    }

    fn first(self, test: impl FnOnce(Word<'a>) -> bool) -> bool {
        self.words().next().is_some_and(test)
    }
}

#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a [u8],
    is_cut: bool,
}

impl std::ops::Deref for Word<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.text
    }
}

/// Commands that hubs route from client to client.
fn is_routed(command: [u8; 3]) -> bool {
    matches!(
        &command,
        b"INF"
            | b"MSG"
            | b"SCH"
            | b"RES"
            | b"CTM"
            | b"RCM"
            | b"STA"
            | b"NAT"
            | b"RNT"
            | b"PSR"
            | b"GET"
            | b"SND"
            | b"CMD"
            | b"SUP"
    )
}

fn is_base32(word: Word<'_>) -> bool {
    let digit = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    !word.is_empty() && word.iter().all(digit)
}

fn is_session_id(word: Word<'_>) -> bool {
    is_base32(word) && word.len() == SESSION_ID
}

/// A feature added or removed, for example `ADBASE`.
fn is_feature(word: Word<'_>) -> bool {
    let known = word.starts_with(b"AD") || word.starts_with(b"RM");
    let name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    known && (word.len() == 6 || word.is_cut) && word.iter().all(name)
}

/// A client's identifier or its private one; of a hub any named field.
fn is_hub_or_client_field(kind: u8, word: Word<'_>) -> bool {
    let Some((name, value)) = word.split_first_chunk::<2>() else {
        return false;
    };
    match name {
        b"ID" | b"PD" => is_base32(Word {
            text: value,
            ..word
        }),
        b"CT" | b"NI" | b"DE" | b"VE" | b"HU" | b"TO" => kind != b'H' && !value.is_empty(),
        _ => false,
    }
}

/// Severity and a code of two digits.
fn is_status(word: Word<'_>) -> bool {
    word.len() == 3
        && matches!(word.first(), Some(b'0'..=b'2'))
        && word.iter().all(u8::is_ascii_digit)
}

/// What is transferred.
fn is_namespace(word: Word<'_>) -> bool {
    matches!(word.text, b"file" | b"list" | b"tthl" | b"blom" | b"blo0")
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{tcp, udp, udp_cut};
    use super::*;

    #[test]
    fn messages() {
        let messages: [&[u8]; 14] = [
            b"HSUP ADBAS0 ADBASE ADTIGR ADUCM0\n",
            b"ISUP ADBASE ADTIGR\nISID AAAB\n",
            b"ISID AAAB\n",
            b"IINF CT32 VEuHub/0.4.1 NIlabhub\n",
            b"BINF AAAB IDO6VFRHNGUBIAWBHWT4MVJDR5SWGEHI27AV76LDY NId1\n",
            b"BSCH AAAB ANfile TO1\n",
            b"DCTM AAAB AAAC ADC/1.0 3412 12345\n",
            b"FSCH AAAB +TCP4-NAT0 ANfile\n",
            b"CSUP ADBAS0 ADBASE\n",
            b"CINF IDBBZTWO3KQNDIB6CMLDEXQRNKIXQ7LKRXOIFJ7DY TO3499737734\n",
            b"CSTA 000  RFadc://192.0.2.1\n",
            b"CGET tthl TTH/KYIC2G7AG5QIBBZF2NMFC5SBFOFL4ITJNKRFGCI 0 -1 ZL1\n",
            b"CSND file TTH/KYIC2G7AG5QIBBZF2NMFC5SBFOFL4ITJNKRFGCI 0 100\nbytes",
            b"IQUI AAAB\n",
        ];
        for message in messages {
            assert!(is_message(&tcp(message)), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn look_alikes() {
        let others: [&[u8]; 8] = [
            b"HSUP\n",
            b"HSUP HELLO\n",
            b"INFO hello\n",
            b"BINF hello\n",
            b"CGET / HTTP/1.1\n",
            b"ISID AAAB",
            b"DINF AAAB hello\n",
            b"\n",
        ];
        for other in &others[..5] {
            assert!(!is_message(&tcp(other)), "{}", other.escape_ascii());
        }
        assert!(
            is_message(&tcp(others[5])),
            "the end may lie in the next segment"
        );
        for other in &others[6..] {
            assert!(!is_message(&tcp(other)), "{}", other.escape_ascii());
        }
    }

    #[test]
    fn search_results_begin_with_a_client_id() {
        let result = b"URES BBZTWO3KQNDIB6CMLDEXQRNKIXQ7LKRXOIFJ7DY SI1535985 SL3 FN/share/x\n";
        assert!(is_datagram(&udp(result)));
        for captured in 6..result.len() {
            assert!(is_datagram(&udp_cut(result, captured)), "{captured} bytes");
        }
        assert!(!is_datagram(&udp(b"URES hello\n")));
        assert!(!is_datagram(&udp(b"URES ABC SI1\n")));
    }
}
