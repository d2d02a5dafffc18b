//! No rule comes out of traffic in which nothing belongs together, of kinds that `simulate` does
//! not have.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

#[path = "quiet/traffic.rs"]
mod traffic;

use peerscope_flow::Flow;
use peerscope_rules::{FlowGroup, Miner, Parameters, Rule, RuleSet};
use rayon::prelude::*;
use traffic::{Browsing, Traffic, resolver};

fn mine(flows: &[Flow]) -> RuleSet {
    let miner = Miner::new(Parameters::default()).unwrap();
    let mut activity = miner.activity();
    for flow in flows {
        activity.push(flow);
    }
    miner.mine(&activity.finish().unwrap())
}

/// A name, and traffic from a seed and a length in hours.
type Kind = (&'static str, fn(u64, f64) -> Traffic);

const QUIET: [Kind; 15] = [
    ("pages of 0.5 s", |seed, hours| pages(seed, hours, 0.5)),
    ("pages of 1 s", |seed, hours| pages(seed, hours, 1.0)),
    ("pages of 2 s", |seed, hours| pages(seed, hours, 2.0)),
    ("pages of 2 s, five favourites a session", |seed, hours| {
        Traffic::new(seed, hours).browse(Browsing {
            width: 2.0,
            favourites: 5,
            ..Browsing::default()
        })
    }),
    ("pages of 1.5 fetches, 12 sites", |seed, hours| {
        Traffic::new(seed, hours).browse(Browsing {
            fetches: 1.5,
            pause: 5.0,
            sites: 12,
            ..Browsing::default()
        })
    }),
    ("single fetches", |seed, hours| {
        Traffic::new(seed, hours).browse(Browsing {
            fetches: 1.0,
            pause: 3.0,
            ..Browsing::default()
        })
    }),
    ("pages that last 10 to 50 s", |seed, hours| {
        lasting(seed, hours, 10.0, Browsing::default())
    }),
    ("pages that last 1 to 5 minutes", |seed, hours| {
        lasting(seed, hours, 60.0, Browsing::default())
    }),
    (
        "pages within 2 s that last, five favourites a session",
        |seed, hours| {
            let few = Browsing {
                width: 2.0,
                favourites: 5,
                ..Browsing::default()
            };
            lasting(seed, hours, 60.0, few)
        },
    ),
    ("single fetches that last 1 to 5 minutes", |seed, hours| {
        let single = Browsing {
            fetches: 1.0,
            ..Browsing::default()
        };
        lasting(seed, hours, 60.0, single)
    }),
    (
        "pages over a day, none at midnight (24 h)",
        |seed, hours| {
            Traffic::new(seed, 4.0 * hours).browse(Browsing {
                daily: true,
                ..Browsing::default()
            })
        },
    ),
    ("200 clients behind one address", |seed, hours| {
        Traffic::new(seed, hours).translated(200, Browsing::default())
    }),
    ("50 hosts call one server each minute", |seed, hours| {
        Traffic::new(seed, hours).beacons(50, 60.0)
    }),
    ("links that break, and retries in step", |seed, hours| {
        Traffic::new(seed, hours).storms(10)
    }),
    ("a scan of 10,000 hosts", |seed, hours| {
        Traffic::new(seed, hours).scan().browse(Browsing::default())
    }),
];

fn pages(seed: u64, hours: f64, width: f64) -> Traffic {
    Traffic::new(seed, hours).browse(Browsing {
        width,
        ..Browsing::default()
    })
}

/// Fetches that outlast the baseline, of more sites: few are fetched again before they are over.
fn lasting(seed: u64, hours: f64, lasts: f64, how: Browsing) -> Traffic {
    Traffic::new(seed, hours).browse(Browsing {
        lasts,
        sites: 300,
        pause: 30.0,
        ..how
    })
}

/// Rules but those of a lookup and what it was for.
fn without_lookups(found: &RuleSet) -> Vec<&Rule> {
    let asks = |side: &FlowGroup| side.dst.ip == Some(resolver());
    let rules = found.rules.iter();
    rules
        .filter(|rule| asks(&rule.left) == asks(&rule.right))
        .collect()
}

fn lookups(seed: u64, hours: f64) -> RuleSet {
    let browsing = Browsing {
        resolves: true,
        ..Browsing::default()
    };
    mine(&Traffic::new(seed, hours).browse(browsing).flows)
}

#[test]
fn quiet_traffic_gives_at_most_one_rule() {
    QUIET.into_par_iter().for_each(|(name, traffic)| {
        let found = mine(&traffic(11, 1.0).flows);
        assert!(found.rules.len() <= 1, "{name}: {found}");
    });
}

#[test]
fn of_lookups_and_pages_only_the_lookups_are_rules() {
    let found = lookups(11, 1.0);
    assert!(found.rules.len() > 10, "{found}");
    assert!(without_lookups(&found).is_empty(), "{found}");
}

/// Clocks that agree are a common cause, not a coincidence.
#[test]
fn jobs_at_full_minutes_are_rules() {
    let found = mine(&Traffic::new(11, 2.0).cron(3).flows);
    // Each pair of hosts at both services, and both services of any host.
    assert_eq!(found.rules.len(), 7, "{found}");
}

#[test]
#[ignore = "prints a table of the documentation; some minutes"]
fn table() {
    let row = |name: &str, counts: Vec<usize>| {
        let sum: usize = counts.iter().sum();
        println!("| {name} | {sum} | {} |", counts.iter().max().unwrap());
    };
    for (name, traffic) in QUIET {
        let seeds = (1..=10_u64).into_par_iter();
        let counts = seeds.map(|seed| mine(&traffic(seed, 6.0).flows).rules.len());
        row(name, counts.collect());
    }
    let seeds = (1..=10_u64).into_par_iter();
    let counts = seeds.map(|seed| without_lookups(&lookups(seed, 6.0)).len());
    row(
        "pages with lookups, rules but those of lookups",
        counts.collect(),
    );
}
