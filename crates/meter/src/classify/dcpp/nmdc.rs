//! NMDC, the older of the two protocols of Direct Connect.

use super::Payload;

/// Commands without arguments: the terminator follows at once.
const BARE: [&[u8]; 10] = [
    b"BadPass",
    b"BotList",
    b"Canceled",
    b"GetListLen",
    b"GetNickList",
    b"GetPass",
    b"HubIsFull",
    b"MaxedOut",
    b"Send",
    b"ZOn",
];

/// Commands whose arguments follow after a space.
const WITH_ARGUMENTS: [&[u8]; 42] = [
    b"ADCGET",
    b"ADCSND",
    b"BotINFO",
    b"Close",
    b"ConnectToMe",
    b"Direction",
    b"Error",
    b"Failed",
    b"FileLength",
    b"ForceMove",
    b"Get",
    b"GetINFO",
    b"GetZBlock",
    b"Hello",
    b"HubINFO",
    b"HubName",
    b"HubTopic",
    b"Key",
    b"Kick",
    b"ListLen",
    b"Lock",
    b"LogedIn",
    b"MCTo:",
    b"MultiConnectToMe",
    b"MultiSearch",
    b"MyINFO",
    b"MyNick",
    b"MyPass",
    b"NickList",
    b"OpForceMove",
    b"OpList",
    b"Quit",
    b"RevConnectToMe",
    b"SR",
    b"Search",
    b"Sending",
    b"Supports",
    b"To:",
    b"UGetBlock",
    b"UserCommand",
    b"UserIP",
    b"Version",
];

/// More than these many bytes of arguments without a terminator is not a command, unless it lists
/// users or shared files.
const LONGEST: usize = 65_536;

/// Whether the segment begins with a command. Its terminator must follow, unless the segment was
/// cut before it.
pub(super) fn is_command(payload: &Payload<'_>) -> bool {
    let Some(command) = payload.bytes.strip_prefix(b"$") else {
        return false;
    };
    let Some(end) = command.iter().position(|byte| matches!(byte, b' ' | b'|')) else {
        return false;
    };
    let (name, rest) = command.split_at(end);
    if rest.first() == Some(&b'|') {
        return BARE.contains(&name) || name == b"ValidateDenide" || name == b"Supports";
    }
    let cut = payload.bytes.len() < payload.length;
    let ends = rest.contains(&b'|') || cut && payload.length <= LONGEST;
    let named =
        WITH_ARGUMENTS.contains(&name) || matches!(name, b"ValidateNick" | b"ValidateDenide");
    named && ends && rest.len() > 1
}

/// Whether the datagram answers a search: `$SR nick path<5>size slots<5>hub`, or is a search that
/// was sent to a client itself.
pub(super) fn is_search_result(payload: &Payload<'_>) -> bool {
    let bytes = payload.bytes;
    let cut = bytes.len() < payload.length;
    let result = bytes.starts_with(b"$SR ") && (cut || bytes.contains(&5));
    let search =
        bytes.starts_with(b"$Search ") && bytes.contains(&b'?') && (cut || bytes.ends_with(b"|"));
    result || search
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{tcp, tcp_cut, udp};
    use super::*;

    #[test]
    fn commands() {
        let commands: [&[u8]; 6] = [
            b"$Lock EXTENDEDPROTOCOLABCABC Pk=DCPLUSPLUS0.698|",
            b"$MyNick d1|$Lock EXTENDEDPROTOCOL Pk=x|",
            b"$Supports MiniSlots XmlBZList ADCGet TTHL|",
            b"$HubName lab|",
            b"$ADCGET file TTH/ABC 0 -1|",
            b"$GetNickList|",
        ];
        for command in commands {
            assert!(is_command(&tcp(command)), "{}", command.escape_ascii());
        }
        assert!(is_command(&tcp_cut(commands[0], 20)));
    }

    #[test]
    fn look_alikes() {
        let others: [&[u8]; 7] = [
            b"$Lock",
            b"$Lock ABC",
            b"$Lock |"[..6].as_ref(),
            b"$locked x|",
            b"$5\r\nHELLO\r\n",
            b"Lock x|",
            b"$ x|",
        ];
        for other in others {
            assert!(!is_command(&tcp(other)), "{}", other.escape_ascii());
        }
    }

    #[test]
    fn search_results() {
        assert!(is_search_result(&udp(
            b"$SR d1 dir\\file.bin\x051234 3/4\x05hub (10.0.0.1:411)|"
        )));
        assert!(!is_search_result(&udp(b"$SR d1 dir")));
        assert!(is_search_result(&udp(
            b"$Search 10.0.0.1:412 F?T?0?1?text|"
        )));
    }
}
