//! Template T2: clients of a server and the server's own requests.

use crate::Template;
use crate::bucket::{Series, co_occurrences};
use crate::evidence::{Pair, both};
use crate::hypothesis::{Hypothesis, Side};
use crate::pool::{Pool, pools};
use crate::table::Table;

/// Rules of template T2 around one host, both ways, and the number of tests.
///
/// A window in which several clients call counts once, so that one request of the server's own is
/// not taken for many answers.
pub(crate) fn rules(table: &Table<'_>, host: usize) -> (Vec<Hypothesis>, u128) {
    let outs: Vec<Series<'_>> = table
        .outs(host)
        .filter(|&id| table.group(id).src != table.group(id).dst)
        .filter(|&id| table.can_lead(id) || table.can_follow(id))
        .map(|id| table.series(id))
        .collect();
    let pools = pools(table, host);
    if outs.is_empty() || pools.is_empty() {
        return (Vec::new(), 0);
    }
    let series: Vec<Series<'_>> = pools.iter().map(Pool::series).collect();
    let least = table.parameters.min_cooccurrence;
    let mut found = Vec::new();
    for (x, y, both) in co_occurrences(&series, &outs) {
        if both >= least {
            let (pool, out) = (&pools[x as usize], outs[y as usize].id);
            found.extend(test_chain(table, pool, out, ChainWay::Forward));
        }
    }
    for (x, y, both) in co_occurrences(&outs, &series) {
        if both >= least {
            let (pool, out) = (&pools[y as usize], outs[x as usize].id);
            found.extend(test_chain(table, pool, out, ChainWay::Back));
        }
    }
    (found, 2 * pools.len() as u128 * outs.len() as u128)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChainWay {
    Forward,
    Back,
}

fn test_chain(table: &Table<'_>, pool: &Pool, out: u32, way: ChainWay) -> Option<Hypothesis> {
    let parameters = table.parameters;
    let (lags, windows) = (parameters.lags(), table.activity.windows);
    // A host that calls the server and is called by it at once is a pair, not a chain.
    let callee = table.group(out).dst;
    let host = table.group(out).src as usize;
    let evidence = |pool: &Pool| -> Option<(Pair, f64)> {
        let pool_events = pool.events.as_slice();
        let (left, left_starts, starts, right) = match way {
            ChainWay::Forward => (
                pool_events,
                pool.starts.as_slice(),
                table.events(out),
                table.present(out),
            ),
            ChainWay::Back => (
                table.events(out),
                table.events(out),
                pool_events,
                &pool.present,
            ),
        };
        let pair = Pair::counted(left, right, u64::from(windows));
        if !parameters.scores(&pair) {
            return None;
        }
        let most = table.most_explained(pair.counts.both);
        let pair = pair
            .with_baseline(left, right, windows, lags, most)
            .with_starts(left, starts, lags);
        parameters.may_pass(pair.ln_p_raw(parameters.null, lags))?;
        let pair = pair
            .with_clumps(left, right, lags)
            .with_company(
                table
                    .company(host)
                    .explain(left_starts, starts, right, lags),
            );
        let ln_p = pair.ln_p(parameters.null, lags);
        parameters.may_pass(ln_p)?;
        Some((pair, ln_p))
    };
    let (pair, ln_all) = evidence(pool)?;
    let both = |id: u32| match way {
        ChainWay::Forward => both(table.events(id), table.present(out)),
        ChainWay::Back => both(table.events(out), table.present(id)),
    };
    let shares: Vec<(u32, u32)> = pool.members.iter().map(|&id| (both(id), id)).collect();
    let bound = shares
        .iter()
        .filter(|&&(both, id)| both > 0 && table.group(id).src != callee)
        .count();
    if bound < parameters.min_bindings as usize {
        return None;
    }
    let &(_, strongest) = shares
        .iter()
        .max_by_key(|&&(both, id)| (both, std::cmp::Reverse(id)))?;
    let others = pool
        .members
        .iter()
        .copied()
        .filter(|&id| id != strongest)
        .collect();
    let (_, ln_rest) = evidence(&Pool::new(table, pool.pattern, others))?;
    let (left, right) = match way {
        ChainWay::Forward => (Side::Pattern(pool.pattern), Side::Group(out)),
        ChainWay::Back => (Side::Group(out), Side::Pattern(pool.pattern)),
    };
    Some(Hypothesis {
        left,
        right,
        template: Template::Chain,
        pair,
        bindings: u32::try_from(bound).unwrap_or(u32::MAX),
        ln_p: ln_all.max(ln_rest),
    })
}
