//! Direct Connect: NMDC and ADC.

mod adc;
mod nmdc;

use peerscope_flow::{Application, Transport};

use super::{Classifier, Payload};

/// Direct Connect between clients and with hubs, by either of its protocols: NMDC, whose commands
/// begin with `$` and end with `|`, and ADC 1.0, whose messages are lines that begin with a type
/// letter and a three-letter command.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DirectConnect;

impl Classifier for DirectConnect {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        let matches = match payload.transport {
            Transport::Tcp => nmdc::is_command(payload) || adc::is_message(payload),
            Transport::Udp => nmdc::is_search_result(payload) || adc::is_datagram(payload),
            Transport::Other(_) => false,
        };
        matches.then_some(Application::Dcpp)
    }
}
