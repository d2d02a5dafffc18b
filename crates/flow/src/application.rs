//! Application labels: an open set with built-in names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// What a flow carries, as a classifier or a log said.
///
/// The set is open: [`Application::from_str`] gives a built-in label where the name is known, else
/// a [`CustomLabel`]. Names are compared in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum Application {
    /// eDonkey2000 and eMule over TCP, and eD2k server traffic over UDP.
    EMule,
    /// The Kad distributed hash table over UDP.
    Kad,
    /// KadU (AdunanzA), the closed Kad of one provider's users.
    KadU,
    /// BitTorrent: peer wire, uTP, DHT and trackers.
    BitTorrent,
    /// Direct Connect: NMDC and ADC.
    Dcpp,
    /// HTTP in the clear.
    Http,
    /// TLS of any application.
    Tls,
    /// The domain name system.
    Dns,
    /// The network time protocol.
    Ntp,
    /// Any other label.
    Custom(CustomLabel),
}

/// A label that is none of the built-in ones: non-empty and in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomLabel(Arc<Box<str>>);

impl CustomLabel {
    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that cannot be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an application label must not be empty")]
#[non_exhaustive]
pub struct LabelError;

impl Application {
    /// Every built-in label.
    pub const BUILT_IN: [Self; 9] = [
        Self::EMule,
        Self::Kad,
        Self::KadU,
        Self::BitTorrent,
        Self::Dcpp,
        Self::Http,
        Self::Tls,
        Self::Dns,
        Self::Ntp,
    ];

    /// The canonical lower-case name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::EMule => "emule",
            Self::Kad => "kad",
            Self::KadU => "kadu",
            Self::BitTorrent => "bittorrent",
            Self::Dcpp => "dcpp",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Dns => "dns",
            Self::Ntp => "ntp",
            Self::Custom(label) => label.as_str(),
        }
    }
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Application {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LabelError);
        }
        let known = Self::BUILT_IN
            .into_iter()
            .find(|app| app.as_str().eq_ignore_ascii_case(text));
        Ok(known.unwrap_or_else(|| {
            Self::Custom(CustomLabel(Arc::new(text.to_lowercase().into_boxed_str())))
        }))
    }
}

impl TryFrom<String> for Application {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Application> for String {
    fn from(app: Application) -> Self {
        app.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_unique() {
        for (i, app) in Application::BUILT_IN.iter().enumerate() {
            assert_eq!(app.to_string().parse::<Application>().as_ref(), Ok(app));
            assert!(
                Application::BUILT_IN[..i]
                    .iter()
                    .all(|other| other.as_str() != app.as_str())
            );
        }
    }

    #[test]
    fn unknown_names_are_custom_labels_in_lower_case() {
        let app: Application = " Gnutella ".parse().unwrap();
        assert_eq!(app.as_str(), "gnutella");
        assert_eq!(app.to_string().parse(), Ok(app));
        assert_eq!("  ".parse::<Application>(), Err(LabelError));
    }

    #[test]
    fn a_label_stays_small_in_a_flow() {
        assert_eq!(size_of::<Option<Application>>(), 16);
    }
}
