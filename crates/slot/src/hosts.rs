//! Numbers for the monitored hosts.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::AddressBits;
use rayon::prelude::*;

/// The monitored hosts of a trace, numbered in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    // Seeded at random against crafted collisions; results do not depend on the numbers.
    v4: HashMap<u32, u32, RandomState>,
    /// Apart, as these take four times the room: of very many hosts the table is in no near cache.
    v6: HashMap<AddressBits, u32, RandomState>,
    addresses: Vec<AddressBits>,
}

impl Hosts {
    #[inline]
    pub(crate) fn number(&mut self, host: AddressBits) -> u32 {
        let known = match host.to_v4_bits() {
            Some(v4) => self.v4.get(&v4),
            None => self.v6.get(&host),
        };
        match known {
            Some(&number) => number,
            None => self.add(host),
        }
    }

    pub(crate) fn addresses(&self) -> &[AddressBits] {
        &self.addresses
    }

    /// Takes in the hosts of another list that are named by their numbers there. By number there,
    /// the number here; that of a host not named means nothing.
    pub(crate) fn numbers_of(
        &mut self,
        other: &[AddressBits],
        named: impl IntoIterator<Item = u32>,
    ) -> Vec<u32> {
        const UNKNOWN: u32 = u32::MAX;
        let mut numbers = vec![UNKNOWN; other.len()];
        for host in named.into_iter().map(|host| host as usize) {
            if numbers[host] == UNKNOWN {
                numbers[host] = self.number(other[host]);
            }
        }
        numbers
    }

    #[cold]
    fn add(&mut self, host: AddressBits) -> u32 {
        let number = next_index(self.addresses.len());
        match host.to_v4_bits() {
            Some(v4) => self.v4.insert(v4, number),
            None => self.v6.insert(host, number),
        };
        self.addresses.push(host);
        number
    }
}

/// The hosts of several lists that are named by their numbers there, each once, in order of address;
/// and for each list, by number, their places in that order. That of a host not named means nothing.
pub(crate) fn in_order<'h, N: Iterator<Item = u32> + Send>(
    lists: impl Iterator<Item = (&'h [AddressBits], N)>,
) -> (Vec<AddressBits>, Vec<Vec<u32>>) {
    let lists: Vec<(&[AddressBits], N)> = lists.collect();
    let (is_named, addresses): (Vec<_>, Vec<_>) = lists
        .into_par_iter()
        .map(|(addresses, numbers)| {
            let mut is_named = vec![false; addresses.len()];
            numbers.for_each(|number| is_named[number as usize] = true);
            (is_named, addresses)
        })
        .unzip();
    let mut named = Vec::new();
    for (list, (is_named, addresses)) in (0_u32..).zip(is_named.iter().zip(&addresses)) {
        let of_list = (0_u32..).zip(*addresses).zip(is_named);
        let of_list = of_list.filter(|(_, is_named)| **is_named);
        named.extend(of_list.map(|((number, &address), _)| (address, list, number)));
    }
    named.par_sort_unstable_by_key(|&(address, ..)| address);
    let mut places: Vec<Vec<u32>> = is_named.iter().map(|list| vec![0; list.len()]).collect();
    let mut hosts = Vec::new();
    for (address, list, number) in named {
        if hosts.last() != Some(&address) {
            hosts.push(address);
        }
        places[list as usize][number as usize] = next_index(hosts.len() - 1);
    }
    (hosts, places)
}

/// Hosts of a trace, and rows and addresses of a slot, are far fewer than 2^30: each needs memory
/// of its own.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
pub(crate) fn next_index(len: usize) -> u32 {
    len as u32
}
