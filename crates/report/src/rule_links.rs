//! Communication rules as a graph: flow groups in clusters, joined by rules.

use std::collections::BTreeMap;

use crate::figure::Link;
use crate::model::RuleDocument;

/// The flow groups of each cluster in the order of their rules, and a link for each rule, the
/// stronger the higher its score. Groups that only rules between clusters have come last.
pub(crate) fn rule_links(document: &RuleDocument) -> (Vec<Vec<String>>, Vec<Link>) {
    let rules = &document.rules;
    let mut known = BTreeMap::new();
    let mut clusters = Vec::new();
    for numbers in document.clusters.iter().chain([&document.cut]) {
        let of_cluster = numbers.iter().filter_map(|&number| rules.get(number));
        let mut members = Vec::new();
        for group in of_cluster.flat_map(|rule| [&rule.left, &rule.right]) {
            let next = known.len();
            known.entry(group.as_str()).or_insert_with(|| {
                members.push(group.clone());
                next
            });
        }
        if !members.is_empty() {
            clusters.push(members);
        }
    }
    let best = rules.iter().map(|rule| rule.score).fold(0.0, f64::max);
    let links = rules.iter().filter_map(|rule| {
        Some(Link {
            from: *known.get(rule.left.as_str())?,
            to: *known.get(rule.right.as_str())?,
            strength: rule.score / best.max(f64::MIN_POSITIVE),
        })
    });
    let links = links.collect();
    (clusters, links)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RuleLine;

    #[test]
    fn rules_join_the_groups_of_their_clusters() {
        let rule = |left: &str, right: &str, score| RuleLine {
            left: left.to_owned(),
            right: right.to_owned(),
            score,
            ..RuleLine::default()
        };
        let document = RuleDocument {
            rules: vec![
                rule("d", "e", 1.0),
                rule("a", "b", 4.0),
                rule("b", "c", 2.0),
                rule("c", "f", 0.0),
            ],
            // A number that no rule has is passed over.
            clusters: vec![vec![1, 2, 9], vec![0]],
            cut: vec![3],
            ..RuleDocument::default()
        };
        let (clusters, links) = rule_links(&document);
        assert_eq!(clusters, [vec!["a", "b", "c"], vec!["d", "e"], vec!["f"]]);
        let links: Vec<_> = links
            .iter()
            .map(|link| (link.from, link.to, link.strength))
            .collect();
        assert_eq!(links, [(3, 4, 0.25), (0, 1, 1.0), (1, 2, 0.5), (2, 5, 0.0)]);
        assert_eq!(rule_links(&RuleDocument::default()), (vec![], vec![]));
    }
}
