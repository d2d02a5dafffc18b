//! Metrics that are interesting together: candidates for a common cause.

use peerscope_cluster::Percent;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::UnGraph;

use crate::MetricPair;

/// Metrics of one system that are linked by coincidence, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MetricGroup {
    /// The system.
    pub system: String,
    /// The metrics, in column order; two or more.
    pub metrics: Vec<String>,
    /// How many pairs of them coincide.
    pub pairs: usize,
}

/// The metric graph: a node for each metric of the pairs, in column order, and an edge for each
/// pair whose interesting samples coincide, by the circular-shift test at the false discovery rate
/// and with a lift above 1. Edges carry the adjusted p-value.
pub fn metric_graph(
    metrics: &[impl AsRef<str>],
    pairs: &[MetricPair],
    rate: Percent,
) -> UnGraph<String, f64> {
    let mut graph = UnGraph::new_undirected();
    let nodes: Vec<_> = metrics
        .iter()
        .map(|metric| graph.add_node(metric.as_ref().to_owned()))
        .collect();
    let node = |name: &str| {
        let column = metrics.iter().position(|metric| metric.as_ref() == name)?;
        Some(nodes[column])
    };
    for pair in pairs {
        let linked = pair.adjusted_if_coincident(rate);
        if let (Some(adjusted), Some(left), Some(right)) =
            (linked, node(&pair.left), node(&pair.right))
        {
            graph.add_edge(left, right, adjusted);
        }
    }
    graph
}

impl MetricPair {
    /// Whether the two coincide: significantly by the circular-shift test, adjusted for all pairs,
    /// and more often than independent ones.
    pub fn is_coincident(&self, rate: Percent) -> bool {
        self.adjusted_if_coincident(rate).is_some()
    }

    fn adjusted_if_coincident(&self, rate: Percent) -> Option<f64> {
        let adjusted = self.shift?.adjusted;
        let significant = adjusted <= f64::from(rate.get()) / 100.0;
        (significant && self.lift? > 1.0).then_some(adjusted)
    }
}

/// The connected parts of the graph with two metrics or more, the largest first, then in column
/// order.
pub(crate) fn groups(system: &str, graph: &UnGraph<String, f64>) -> Vec<MetricGroup> {
    // In an undirected graph strongly connected is connected.
    let mut parts = kosaraju_scc(graph);
    parts.retain(|part| part.len() > 1);
    for part in &mut parts {
        part.sort_unstable();
    }
    parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let group = |part: Vec<petgraph::graph::NodeIndex>| MetricGroup {
        system: system.to_owned(),
        pairs: part
            .iter()
            .map(|&node| graph.edges(node).count())
            .sum::<usize>()
            / 2,
        metrics: part.iter().map(|&node| graph[node].clone()).collect(),
    };
    parts.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PairTest;

    fn pair(left: &str, right: &str, adjusted: f64, lift: f64) -> MetricPair {
        MetricPair {
            left: left.to_owned(),
            right: right.to_owned(),
            both: 1,
            left_only: 1,
            right_only: 1,
            neither: 1,
            overlap: None,
            lift: Some(lift),
            shift: Some(PairTest { p: 0.0, adjusted }),
            permutations: None,
            fisher: None,
        }
    }

    #[test]
    fn groups_are_connected_by_significant_positive_pairs() {
        let metrics = ["a", "b", "c", "d", "e", "f", "g"];
        let pairs = [
            pair("a", "g", 0.05, 1.1),
            pair("b", "c", 0.01, 3.0),
            pair("c", "f", 0.02, 3.0),
            pair("b", "f", 0.02, 3.0),
            pair("a", "b", 0.06, 3.0),
            pair("d", "e", 0.01, 1.0),
            MetricPair {
                shift: None,
                ..pair("d", "f", 0.0, 9.0)
            },
        ];
        let graph = metric_graph(&metrics, &pairs, Percent::new(5).unwrap());
        let found: Vec<_> = groups("kad", &graph)
            .into_iter()
            .map(|group| (group.metrics.concat(), group.pairs))
            .collect();
        assert_eq!(found, [("bcf".to_owned(), 3), ("ag".to_owned(), 1)]);
    }
}
