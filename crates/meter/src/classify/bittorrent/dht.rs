//! Messages of the distributed hash table (BEP 5): bencoded dictionaries.

/// Lists and dictionaries inside one another; real messages stay below 4.
const DEEPEST: usize = 8;

/// Whether the bytes are a query, answer or error of the hash table, as far as they were captured.
///
/// The top-level dictionary is walked key by key. A query's arguments or an answer's values with a
/// node identifier of 20 bytes are proof; so is a message type beside a transaction.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    let Some(entries) = bytes.strip_prefix(b"d") else {
        return false;
    };
    let mut rest = entries;
    let mut transaction = false;
    while let Some((key, value)) = string(rest) {
        match key {
            b"a" | b"r" if has_node_id(value) => return true,
            b"t" => transaction = string(value).is_some(),
            b"y" => {
                let kind = string(value).map(|(kind, _)| kind);
                return transaction && matches!(kind, Some(b"q" | b"r" | b"e"));
            }
            _ => {}
        }
        let Some(next) = after_value(value) else {
            return false;
        };
        rest = next;
    }
    false
}

fn has_node_id(value: &[u8]) -> bool {
    let Some(mut rest) = value.strip_prefix(b"d") else {
        return false;
    };
    while let Some((key, value)) = string(rest) {
        if key == b"id" {
            // The identifier itself may be cut off.
            return value.starts_with(b"20:");
        }
        let Some(next) = after_value(value) else {
            return false;
        };
        rest = next;
    }
    false
}

/// Splits off a string: its length in digits, a colon, and that many bytes.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().take(5).position(|&byte| byte == b':')?;
    let length = bytes[..colon].iter().try_fold(0_usize, |length, digit| {
        digit
            .is_ascii_digit()
            .then(|| length * 10 + usize::from(digit - b'0'))
    });
    let length = length.filter(|_| colon > 0)?;
    bytes[colon + 1..].split_at_checked(length)
}

/// What follows the value at the start of the bytes.
fn after_value(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    let mut depth = 0;
    loop {
        rest = match rest.first()? {
            b'i' => {
                let end = rest.iter().take(24).position(|&byte| byte == b'e')?;
                &rest[end + 1..]
            }
            b'l' | b'd' if depth < DEEPEST => {
                depth += 1;
                rest = &rest[1..];
                continue;
            }
            b'e' if depth > 0 => {
                depth -= 1;
                &rest[1..]
            }
            _ => string(rest)?.1,
        };
        if depth == 0 {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: &[u8] = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";

    #[test]
    fn the_messages_of_the_specification() {
        let messages: [&[u8]; 6] = [
            PING,
            b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
            b"d2:ip6:abcdef1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
            b"d1:ad2:bsi1e2:id20:abcdefghij01234567896:noseedi0ee1:q9:get_peers1:t2:aa1:y1:qe",
            b"d1:t4:abcd1:v4:LT011:y1:qe",
        ];
        for message in messages {
            assert!(is_message(message), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn the_node_id_may_be_cut_off() {
        for end in 12..PING.len() {
            assert!(is_message(&PING[..end]), "first {end} bytes");
        }
        for end in 0..12 {
            assert!(!is_message(&PING[..end]), "first {end} bytes");
        }
    }

    #[test]
    fn other_dictionaries_are_refused() {
        let others: [&[u8]; 7] = [
            b"d8:intervali1800e5:peers0:e",
            b"d1:ad2:id3:abce1:q4:pinge",
            b"d1:y1:qe",
            b"d1:t2:aa1:y1:xe",
            b"de",
            b"d99999:",
            b"d1:xlllllllllllllllllllllllllll",
        ];
        for other in others {
            assert!(!is_message(other), "{}", other.escape_ascii());
        }
    }
}
