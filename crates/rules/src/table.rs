//! A trace laid out for mining: series of events, hosts' buckets, and patterns over clients.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::bucket::Series;
use crate::company::Company;
use crate::significance::least_means;
use crate::{Activity, FlowGroup, GroupActivity, LeftSide, Null, Parameters, Runs};

/// The activity of a trace with what the templates need.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) activity: &'a Activity,
    pub(crate) parameters: &'a Parameters,
    events: Vec<Cow<'a, [u32]>>,
    /// Groups by initiator: ranges, for groups come sorted by initiator.
    outs: Vec<Range<u32>>,
    /// Groups by responder, those of a host with itself left out.
    ins: Vec<Vec<u32>>,
    /// Groups that differ in their initiator's address only.
    pub(crate) patterns: Vec<Pattern>,
    /// Of each group.
    pub(crate) pattern_of: Vec<u32>,
    /// Windows in which a host is active, or within the baseline's reach of it: its sessions. The
    /// active windows alone would leave a client that does one thing only without contrast.
    pub(crate) active: Vec<u64>,
    /// Who begins beside whom at a host, once asked for.
    company: Vec<OnceLock<Company>>,
    /// Means at which a number of co-occurrences is no evidence.
    least_means: Vec<f64>,
}

/// A generic flow group `*.* : S.p`.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) group: FlowGroup,
    /// Its flow groups, by initiator.
    pub(crate) members: Vec<u32>,
    pub(crate) events: u64,
    pub(crate) present: u64,
    /// Windows of its clients' sessions.
    pub(crate) active: u64,
}

impl<'a> Table<'a> {
    pub(crate) fn new(activity: &'a Activity, parameters: &'a Parameters) -> Self {
        let groups = &activity.groups;
        let events: Vec<Cow<'a, [u32]>> = groups
            .iter()
            .map(|group| match parameters.left {
                LeftSide::New => Cow::Borrowed(group.new.as_slice()),
                LeftSide::Present => Cow::Owned(group.present.windows().collect()),
            })
            .collect();
        let hosts = activity.hosts.len();
        let mut outs = vec![0..0; hosts];
        let mut ins = vec![Vec::new(); hosts];
        for (id, group) in (0_u32..).zip(groups) {
            let range = &mut outs[group.src as usize];
            if range.start == range.end {
                *range = id..id;
            }
            range.end = id + 1;
            if group.src != group.dst {
                ins[group.dst as usize].push(id);
            }
        }
        let reach = parameters.lags().reach;
        let active = (0..hosts)
            .into_par_iter()
            .map(|host| {
                if outs[host].is_empty() {
                    return 0;
                }
                let ranges = outs[host]
                    .clone()
                    .chain(ins[host].iter().copied())
                    .flat_map(|id| groups[id as usize].present.ranges())
                    .map(|(first, last)| {
                        let end = last.saturating_add(reach).min(activity.windows - 1);
                        (first.saturating_sub(reach), end)
                    });
                u64::from(Runs::from_ranges(ranges).len())
            })
            .collect();
        let mut table = Self {
            activity,
            parameters,
            events,
            outs,
            ins,
            patterns: Vec::new(),
            pattern_of: vec![0; groups.len()],
            active,
            company: (0..hosts).map(|_| OnceLock::new()).collect(),
            least_means: match parameters.null {
                Null::LocalBaseline => least_means(1000, parameters.fdr.ln()),
                Null::Hypergeometric => Vec::new(),
            },
        };
        table.find_patterns();
        table
    }

    pub(crate) fn hosts(&self) -> usize {
        self.outs.len()
    }

    pub(crate) fn group(&self, id: u32) -> &GroupActivity {
        &self.activity.groups[id as usize]
    }

    pub(crate) fn events(&self, id: u32) -> &[u32] {
        &self.events[id as usize]
    }

    pub(crate) fn present(&self, id: u32) -> &Runs {
        &self.group(id).present
    }

    pub(crate) fn series(&self, id: u32) -> Series<'_> {
        Series {
            id,
            events: self.events(id),
            present: self.present(id),
        }
    }

    pub(crate) fn outs(&self, host: usize) -> Range<u32> {
        self.outs[host].clone()
    }

    pub(crate) fn ins(&self, host: usize) -> &[u32] {
        &self.ins[host]
    }

    /// Who begins beside whom at a host.
    pub(crate) fn company(&self, host: usize) -> &Company {
        self.company[host].get_or_init(|| {
            let groups = self.outs(host).chain(self.ins(host).iter().copied());
            Company::new(groups.map(|id| self.events(id)))
        })
    }

    /// Co-occurrences of two groups that the bursts of a host they share explain.
    pub(crate) fn company_of(&self, x: u32, y: u32) -> f64 {
        let (a, b) = (self.group(x), self.group(y));
        let lags = self.parameters.lags();
        [a.src, a.dst]
            .into_iter()
            .filter(|host| [b.src, b.dst].contains(host))
            .map(|host| {
                let company = self.company(host as usize);
                company.explain(self.events(x), self.events(y), self.present(y), lags)
            })
            .fold(0.0, f64::max)
    }

    /// Co-occurrences beyond which the local baseline, if it explains them, rules out a pair with
    /// `both`.
    pub(crate) fn most_explained(&self, both: u64) -> f64 {
        if self.parameters.null != Null::LocalBaseline {
            return f64::INFINITY;
        }
        let least = usize::try_from(both)
            .ok()
            .and_then(|both| self.least_means.get(both));
        least.copied().unwrap_or(both as f64) / self.parameters.min_lift
    }

    /// Whether enough happens in a group for it to stand on the left of a concrete rule.
    pub(crate) fn can_lead(&self, id: u32) -> bool {
        self.events(id).len() as u64 >= self.least()
    }

    /// Whether enough happens in a group for it to stand on the right of a concrete rule.
    pub(crate) fn can_follow(&self, id: u32) -> bool {
        u64::from(self.present(id).len()) >= self.least()
    }

    pub(crate) fn pattern(&self, id: u32) -> &Pattern {
        &self.patterns[self.pattern_of[id as usize] as usize]
    }

    /// Whether a pattern can stand on the left of a generic rule.
    pub(crate) fn can_lead_pool(&self, pattern: &Pattern) -> bool {
        self.has_bindings(pattern) && pattern.events >= self.least()
    }

    /// Whether a pattern can stand on the right of a generic rule.
    pub(crate) fn can_follow_pool(&self, pattern: &Pattern) -> bool {
        self.has_bindings(pattern) && pattern.present >= self.least()
    }

    fn has_bindings(&self, pattern: &Pattern) -> bool {
        pattern.members.len() >= self.parameters.min_bindings as usize
    }

    fn least(&self) -> u64 {
        u64::from(self.parameters.min_cooccurrence)
    }

    fn find_patterns(&mut self) {
        let mut order: Vec<(FlowGroup, u32)> = (0..)
            .zip(&self.activity.groups)
            .map(|(id, group)| (group.group.any_src(), id))
            .collect();
        order.par_sort_unstable();
        for members in order.chunk_by(|a, b| a.0 == b.0) {
            let number = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
            let members: Vec<u32> = members.iter().map(|&(_, id)| id).collect();
            let sum = |value: &dyn Fn(u32) -> u64| members.iter().map(|&id| value(id)).sum();
            let pattern = Pattern {
                group: self.activity.groups[members[0] as usize].group.any_src(),
                events: sum(&|id| self.events[id as usize].len() as u64),
                present: sum(&|id| u64::from(self.activity.groups[id as usize].present.len())),
                active: sum(&|id| self.active[self.activity.groups[id as usize].src as usize]),
                members,
            };
            for &id in &pattern.members {
                self.pattern_of[id as usize] = number;
            }
            self.patterns.push(pattern);
        }
    }
}
