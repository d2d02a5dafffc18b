//! Generic rules: the same rule for many clients, each binding counted on its own.
//!
//! A generic rule must not rest on one binding: its p-value is that of all bindings but the
//! strongest, if that is larger (the partial conjunction test for two, Benjamini and Heller 2008).
//! One crawler among the visitors of two popular servers is a concrete rule, not a generic one.

use crate::any_client::bindings;
use crate::evidence::Pair;
use crate::hypothesis::{Hypothesis, Side};
use crate::peers::peer_bindings;
use crate::pool::Pool;
use crate::surroundings::Lags;
use crate::table::Table;
use crate::{Runs, Template};

/// The evidence of all bindings, and the p-value without the strongest one.
pub(crate) fn pooled_p(
    table: &Table<'_>,
    bindings: &[Pair],
    total: Pair,
    lags: Lags,
) -> Option<(Pair, f64)> {
    let null = table.parameters.null;
    let sum = bindings
        .iter()
        .fold(Pair::default(), |sum, &one| sum.merge(one));
    let all = Pair {
        counts: total.counts,
        ..sum
    };
    let strongest = bindings
        .iter()
        .max_by(|a, b| a.excess().total_cmp(&b.excess()))?;
    let rest = all.without(strongest);
    let ln_p = all.ln_p(null, lags).max(rest.ln_p(null, lags));
    table.parameters.may_pass(ln_p)?;
    Some((all, ln_p))
}

/// Calls `visit` with X's events and Y's presence of each binding of an accepted rule.
pub(crate) fn each_binding(
    table: &Table<'_>,
    rule: &Hypothesis,
    mut visit: impl FnMut(&[u32], &Runs),
) {
    let pool = |number: u32| {
        Pool::new(
            table,
            number,
            table.patterns[number as usize].members.clone(),
        )
    };
    match (rule.left, rule.right) {
        (Side::Group(x), Side::Group(y)) => visit(table.events(x), table.present(y)),
        (Side::Pattern(p), Side::Group(y)) => visit(&pool(p).events, table.present(y)),
        (Side::Group(x), Side::Pattern(q)) => visit(table.events(x), &pool(q).present),
        (Side::Pattern(p), Side::Pattern(q)) if rule.template == Template::Peers => {
            for binding in peer_bindings(table, &pool(p), &pool(q)) {
                visit(&binding.events, &binding.others);
            }
        }
        (Side::Pattern(p), Side::Pattern(q)) => {
            let (p, q) = (&table.patterns[p as usize], &table.patterns[q as usize]);
            for (x, y) in bindings(table, p, q) {
                visit(table.events(x), table.present(y));
            }
        }
    }
}
