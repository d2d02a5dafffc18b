//! Parquet's hybrid of runs and packed bits, in which levels and places in a dictionary stand.

use bytes::Bytes;
use parquet::errors::ParquetError;

/// A sequence of small numbers, decoded as far as it is asked for.
///
/// Apache Parquet format, encodings, "Run Length Encoding / Bit-Packing Hybrid".
#[derive(Debug)]
pub(super) struct Hybrid {
    data: Bytes,
    /// The next run's header.
    at: usize,
    /// Bits of a number.
    width: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    /// One number so many times.
    Same { number: u32, left: usize },
    /// So many numbers, packed from a bit of the data on.
    Packed { bit: usize, left: usize },
}

impl Hybrid {
    /// A sequence of numbers of `width` bits, at most 32.
    pub(super) fn new(data: Bytes, width: u8) -> Result<Self, ParquetError> {
        let width = usize::from(width);
        if width > 32 {
            return Err(damaged("numbers of more than 32 bits"));
        }
        let run = Run::Same { number: 0, left: 0 };
        Ok(Self {
            data,
            at: 0,
            width,
            run,
        })
    }

    /// Appends the next `count` numbers.
    pub(super) fn read(
        &mut self,
        mut count: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), ParquetError> {
        while count > 0 {
            count -= match &mut self.run {
                Run::Same { left: 0, .. } | Run::Packed { left: 0, .. } => {
                    self.run = self.next_run()?;
                    0
                }
                Run::Same { number, left } => {
                    let taken = count.min(*left);
                    *left -= taken;
                    out.resize(out.len() + taken, *number);
                    taken
                }
                Run::Packed { bit, left } => {
                    let taken = count.min(*left);
                    unpack(&self.data, *bit, self.width, taken, out);
                    *left -= taken;
                    *bit += taken * self.width;
                    taken
                }
            };
        }
        Ok(())
    }

    /// Passes over the next `count` numbers if they are one run of `wanted`.
    pub(super) fn skip_run_of(&mut self, wanted: u32, count: usize) -> Result<bool, ParquetError> {
        if let Run::Same { left: 0, .. } | Run::Packed { left: 0, .. } = self.run {
            self.run = self.next_run()?;
        }
        Ok(match &mut self.run {
            Run::Same { number, left } if *number == wanted && *left >= count => {
                *left -= count;
                true
            }
            _ => false,
        })
    }

    fn next_run(&mut self) -> Result<Run, ParquetError> {
        let header = self.header()?;
        let count = (header >> 1) as usize;
        if header & 1 == 0 {
            let bytes = self.data.get(self.at..).unwrap_or_default();
            let bytes = bytes.get(..self.width.div_ceil(8)).ok_or_else(cut)?;
            self.at += bytes.len();
            let digits = bytes.iter().rev();
            let bits = digits.fold(0, |bits, &byte| (bits << 8) | u64::from(byte));
            if bits > mask(self.width) {
                return Err(damaged("a number of more bits than it may have"));
            }
            return Ok(Run::Same {
                number: number(bits, mask(self.width)),
                left: count,
            });
        }
        // Eight numbers in as many bytes as one has bits; the last bytes may be left out.
        let bit = self.at * 8;
        self.at = self.at.saturating_add(count * self.width);
        let there = (self.data.len() * 8 - bit).checked_div(self.width);
        Ok(Run::Packed {
            bit,
            left: (count * 8).min(there.unwrap_or(usize::MAX)),
        })
    }

    /// A number of seven bits a byte, the lowest first.
    fn header(&mut self) -> Result<u32, ParquetError> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = *self.data.get(self.at).ok_or_else(cut)?;
            self.at += 1;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged("a run with an endless length"))
    }
}

/// Appends `count` numbers of `width` bits that begin at a bit and lie inside the data.
fn unpack(data: &[u8], bit: usize, width: usize, count: usize, out: &mut Vec<u32>) {
    let mut done = 0;
    if bit.is_multiple_of(8) {
        let bytes = data.get(bit / 8..).unwrap_or_default();
        let before = out.len();
        macro_rules! in_groups {
            ($($width:literal)*) => {
                match width {
                    $($width => unpack_groups::<$width>(bytes, count / 8, out),)*
                    _ => {}
                }
            };
        }
        // A dictionary of two values up to one of a million.
        in_groups!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
        done = out.len() - before;
    }
    let mask = mask(width);
    out.extend((done..count).map(|i| {
        let at = bit + i * width;
        let rest = data.get(at / 8..).unwrap_or_default();
        let window = match rest.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => last_window(rest),
        };
        number(window >> (at % 8), mask)
    }));
}

/// Appends up to `groups` times eight numbers of a width the compiler knows, as long as what is
/// loaded lies inside the data.
fn unpack_groups<const WIDTH: usize>(data: &[u8], groups: usize, out: &mut Vec<u32>) {
    let mask = mask(WIDTH);
    // The last number's load begins in the group's last bytes.
    let packed = data.windows(WIDTH + 8).step_by(WIDTH).take(groups);
    let before = out.len();
    out.resize(before + 8 * packed.len(), 0);
    let (unpacked, _) = out[before..].as_chunks_mut();
    for (numbers, group) in unpacked.iter_mut().zip(packed) {
        *numbers = std::array::from_fn::<u32, 8, _>(|i| {
            let at = i * WIDTH;
            let bytes = group[at / 8..].first_chunk().copied();
            number(
                u64::from_le_bytes(bytes.unwrap_or_default()) >> (at % 8),
                mask,
            )
        });
    }
}

/// As many ones as a number has bits.
const fn mask(width: usize) -> u64 {
    (1 << width) - 1
}

#[expect(clippy::cast_possible_truncation, reason = "masked to 32 bits at most")]
const fn number(window: u64, mask: u64) -> u32 {
    (window & mask) as u32
}

#[cold]
fn last_window(rest: &[u8]) -> u64 {
    let digits = rest.iter().rev();
    digits.fold(0, |window, &byte| (window << 8) | u64::from(byte))
}

pub(super) fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("damaged page: {what}"))
}

pub(super) fn cut() -> ParquetError {
    damaged("it ends too early")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a writer may do: runs and packed groups in any order.
    fn encode(parts: &[(bool, Vec<u32>)], width: usize) -> (Vec<u8>, Vec<u32>) {
        let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
        for (packed, part) in parts {
            if *packed {
                let groups = part.len().div_ceil(8);
                bytes.push(u8::try_from(groups << 1 | 1).unwrap());
                let mut bits = vec![false; groups * 8 * width];
                for (i, number) in part.iter().enumerate() {
                    for bit in 0..width {
                        bits[i * width + bit] = number >> bit & 1 == 1;
                    }
                }
                bytes.extend(bits.chunks(8).map(|byte| {
                    let bits = byte.iter().rev();
                    bits.fold(0, |sum, &bit| sum << 1 | u8::from(bit))
                }));
                let end = numbers.len() + groups * 8;
                numbers.extend(part);
                numbers.resize(end, 0);
            } else {
                let count = part.len() + 100;
                bytes.extend([u8::try_from((count << 1) & 0x7f | 0x80).unwrap()]);
                bytes.push(u8::try_from(count >> 6).unwrap());
                bytes.extend(&part[0].to_le_bytes()[..width.div_ceil(8)]);
                numbers.resize(numbers.len() + count, part[0]);
            }
        }
        (bytes, numbers)
    }

    fn parts() -> impl Strategy<Value = (usize, Vec<(bool, Vec<u32>)>)> {
        (0..=32_usize).prop_flat_map(|width| {
            let highest = u32::try_from((1_u64 << width) - 1).unwrap();
            let part = (any::<bool>(), prop::collection::vec(0..=highest, 1..40));
            (Just(width), prop::collection::vec(part, 1..6))
        })
    }

    #[test]
    fn a_run_of_a_number_too_large_is_no_other_number() {
        // Eight times 2, which takes two bits.
        let read = |width| {
            let mut numbers = Vec::new();
            let mut hybrid = Hybrid::new(vec![16, 2].into(), width).unwrap();
            hybrid.read(8, &mut numbers).map(|()| numbers)
        };
        assert!(read(1).is_err());
        assert_eq!(read(2).unwrap(), [2; 8]);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_however_it_is_asked_for(
            (width, parts) in parts(),
            steps in prop::collection::vec(1..50_usize, 1..4),
        ) {
            let (bytes, expected) = encode(&parts, width);
            let new = || Hybrid::new(bytes.clone().into(), u8::try_from(width).unwrap()).unwrap();
            let (mut hybrid, mut skipping) = (new(), new());
            let (mut numbers, mut others) = (Vec::new(), Vec::new());
            for &step in steps.iter().cycle() {
                let step = step.min(expected.len() - numbers.len());
                hybrid.read(step, &mut numbers).unwrap();
                if step == 0 {
                    break;
                }
                if skipping.skip_run_of(expected[others.len()], step).unwrap() {
                    others.resize(others.len() + step, expected[others.len()]);
                } else {
                    skipping.read(step, &mut others).unwrap();
                }
            }
            prop_assert_eq!(&numbers, &expected);
            prop_assert_eq!(&others, &expected);
            prop_assert!(width == 0 || hybrid.read(1, &mut numbers).is_err());
        }

        #[test]
        fn any_bytes_end_in_an_error_or_in_numbers_of_the_width(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            width in 0..=32_u8,
            count in 0..3000_usize,
        ) {
            let mut numbers = Vec::new();
            if Hybrid::new(bytes.into(), width).unwrap().read(count, &mut numbers).is_ok() {
                prop_assert_eq!(numbers.len(), count);
            }
            prop_assert!(numbers.iter().all(|&number| u64::from(number) < 1 << width));
        }
    }
}
