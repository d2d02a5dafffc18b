//! Templates: how the records of a set are laid out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault::ExportFault;
use super::fields::Place;
use super::framing::{u16_at, u32_at};

/// The layout of a record.
#[derive(Debug)]
pub(super) struct Template {
    fields: Vec<Field>,
    /// Bytes of the shortest record.
    shortest: usize,
    /// Its records tell of the exporter, not of flows.
    pub(super) options: bool,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    place: Place,
    length: Length,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Fixed(u16),
    /// Stands before the value (RFC 7011, section 7).
    Variable,
}

impl Template {
    /// Fields of one template.
    pub(super) const FIELDS: usize = 256;

    fn new(id: u16, mut fields: Vec<Field>, options: bool) -> Result<Self, ExportFault> {
        let bad = |what: &str| Err(ExportFault::Content(format!("template {id} {what}")));
        let shortest = fields.iter().map(|field| match field.length {
            Length::Fixed(length) => usize::from(length),
            Length::Variable => 1,
        });
        let shortest = shortest.sum();
        if id < Templates::FIRST {
            return bad("has the number of another kind of set");
        }
        if fields.len() > Self::FIELDS {
            return bad(&format!(
                "has {} fields, the most are {}",
                fields.len(),
                Self::FIELDS
            ));
        }
        if shortest == 0 {
            return bad("is of records without length");
        }
        // Then a record has no more fields than bytes.
        fields.retain(|field| !matches!(field.length, Length::Fixed(0)));
        Ok(Self {
            fields,
            shortest,
            options,
        })
    }

    /// Takes the next record off a set and gives the values that are read; `false` at the end of
    /// the records.
    pub(super) fn next<'a>(
        &self,
        left: &mut &'a [u8],
        values: &mut Vec<(Place, &'a [u8])>,
    ) -> Result<bool, ExportFault> {
        values.clear();
        if left.len() < self.shortest {
            return Ok(false);
        }
        let whole = *left;
        for field in &self.fields {
            let length = match field.length {
                Length::Fixed(length) => Some(length),
                Length::Variable => variable(left),
            };
            let value = length.and_then(|length| left.split_off(..usize::from(length)));
            let Some(value) = value else {
                *left = &[];
                return Err(ExportFault::Content(format!(
                    "a record is cut: {} bytes are left of its set",
                    whole.len()
                )));
            };
            if field.place != Place::Other {
                values.push((field.place, value));
            }
        }
        Ok(true)
    }
}

/// The length in front of a value of variable length.
fn variable(left: &mut &[u8]) -> Option<u16> {
    match left.split_off_first()? {
        255 => take_u16(left),
        &length => Some(length.into()),
    }
}

/// What a template set defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    V9,
    V9Options,
    Ipfix,
    IpfixOptions,
}

impl Kind {
    const fn options(self) -> bool {
        matches!(self, Self::V9Options | Self::IpfixOptions)
    }

    /// The number of sets that define it.
    const fn set(self) -> u16 {
        match self {
            Self::V9 => 0,
            Self::V9Options => 1,
            Self::Ipfix => 2,
            Self::IpfixOptions => 3,
        }
    }

    /// The kind of a set by its number, in a message of a version.
    pub(super) fn of_set(version: u16, set: u16) -> Option<Self> {
        let kinds = match version {
            9 => [Self::V9, Self::V9Options],
            _ => [Self::Ipfix, Self::IpfixOptions],
        };
        kinds.into_iter().find(|kind| kind.set() == set)
    }
}

/// The templates of one exporter.
#[derive(Debug, Default)]
pub(super) struct Templates {
    known: BTreeMap<u16, Used>,
    clock: u64,
}

#[derive(Debug)]
struct Used {
    at: u64,
    template: Arc<Template>,
}

impl Templates {
    /// The lowest number of a template.
    pub(super) const FIRST: u16 = 256;

    /// The template of a set.
    pub(super) fn get(&mut self, id: u16) -> Option<Arc<Template>> {
        self.clock += 1;
        let used = self.known.get_mut(&id)?;
        used.at = self.clock;
        Some(Arc::clone(&used.template))
    }

    /// Takes the next definition or withdrawal off a template set, and says which template is new;
    /// `None` if there is none. `most` are kept; `forgotten` counts those that gave way.
    ///
    /// # Errors
    ///
    /// A definition that is not understood, after which the next one may be read.
    pub(super) fn next(
        &mut self,
        kind: Kind,
        left: &mut &[u8],
        most: usize,
        forgotten: &mut u64,
    ) -> Result<Option<u16>, ExportFault> {
        // Up to three bytes, and zeros, are padding.
        while left.len() > 3 && left.iter().any(|&byte| byte != 0) {
            let whole = left.len();
            let Some((id, fields)) = definition(kind, left) else {
                *left = &[];
                return Err(ExportFault::Content(format!(
                    "a template does not fit its set, of which {whole} bytes are left"
                )));
            };
            // RFC 7011, section 8.1.
            if fields.is_empty() && matches!(kind, Kind::Ipfix | Kind::IpfixOptions) {
                self.known.retain(|&known, used| {
                    let all = id == kind.set() && used.template.options == kind.options();
                    !all && known != id
                });
                continue;
            }
            let template = Arc::new(Template::new(id, fields, kind.options())?);
            self.clock += 1;
            let at = self.clock;
            self.known.insert(id, Used { at, template });
            while self.known.len() > most {
                let oldest = self.known.iter().min_by_key(|(_, used)| used.at);
                let oldest = oldest.map_or(id, |(&id, _)| id);
                self.known.remove(&oldest);
                *forgotten += 1;
            }
            return Ok(Some(id));
        }
        Ok(None)
    }
}

/// Takes one definition off a template set: its number and fields, none for a withdrawal.
fn definition(kind: Kind, left: &mut &[u8]) -> Option<(u16, Vec<Field>)> {
    let id = take_u16(left)?;
    let count = take_u16(left)?;
    let (scope, all) = match kind {
        Kind::V9 | Kind::Ipfix => (0, count),
        // Lengths in bytes, of four each.
        Kind::V9Options => {
            let options = take_u16(left)?;
            if count % 4 != 0 || options % 4 != 0 {
                return None;
            }
            (count / 4, count / 4 + options / 4)
        }
        Kind::IpfixOptions if count == 0 => (0, 0),
        // Elements of a scope are those of records.
        Kind::IpfixOptions => {
            take_u16(left)?;
            (0, count)
        }
    };
    let field = |n| {
        let (number, length) = (take_u16(left)?, take_u16(left)?);
        if matches!(kind, Kind::V9 | Kind::V9Options) {
            return Some(Field {
                // Scopes have numbers of their own.
                place: if n < scope {
                    Place::Other
                } else {
                    Place::new(number, 0)
                },
                length: Length::Fixed(length),
            });
        }
        let enterprise = if number & 0x8000 == 0 {
            0
        } else {
            take_u32(left)?
        };
        Some(Field {
            place: Place::new(number & 0x7fff, enterprise),
            length: match length {
                u16::MAX => Length::Variable,
                length => Length::Fixed(length),
            },
        })
    };
    Some((id, (0..all).map(field).collect::<Option<_>>()?))
}

fn take_u16(left: &mut &[u8]) -> Option<u16> {
    u16_at(left.split_off(..2)?, 0)
}

fn take_u32(left: &mut &[u8]) -> Option<u32> {
    u32_at(left.split_off(..4)?, 0)
}
