//! Clusters of rules: recursive spectral bipartition of the graph of flow groups.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;

use crate::bucket::{mix, unit};
use crate::{FlowGroup, Rule};

/// Which rules belong together.
///
/// Flow groups are nodes, rules edges with the better direction's score for their weight. Each
/// connected component is cut in two along the second eigenvector of its normalised adjacency,
/// where the conductance is least, and the parts again, as long as the cut's conductance is low
/// enough and the part has at least 4 nodes.
///
/// Sources: Vempala, Kannan and Vetta, *On clusterings: good, bad and spectral* (2000); the
/// eigenvector is found by power iteration from a fixed start, with the first one projected out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Clusters {
    /// Numbers of the rules in each cluster; the largest cluster first, then by lowest rule.
    pub clusters: Vec<Vec<usize>>,
    /// Numbers of the rules that a cut severed: they join two clusters and are in neither.
    pub cut: Vec<usize>,
}

type Graph = UnGraph<FlowGroup, f64>;

impl Clusters {
    /// Least nodes of a part that is cut.
    pub const MIN_NODES: usize = 4;

    /// Clusters of rules; a part is cut where the conductance is at most `max_conductance`.
    ///
    /// # Complexity
    ///
    /// At most 1,000 passes over the edges per cut.
    pub fn of(rules: &[Rule], max_conductance: f64) -> Self {
        let (graph, ends) = graph(rules);
        let mut part_of = vec![0_usize; graph.node_count()];
        let mut parts = 0;
        let mut open = components(&graph);
        while let Some(nodes) = open.pop() {
            match bipartition(&graph, &nodes) {
                Some(cut) if cut.conductance <= max_conductance => {
                    // A side of a cut need not hang together.
                    for side in cut.sides {
                        open.extend(connected(&graph, &side));
                    }
                }
                _ => {
                    for node in nodes {
                        part_of[node.index()] = parts;
                    }
                    parts += 1;
                }
            }
        }
        let mut clusters = vec![Vec::new(); parts];
        let mut cut = Vec::new();
        for (rule, (a, b)) in ends.into_iter().enumerate() {
            if part_of[a.index()] == part_of[b.index()] {
                clusters[part_of[a.index()]].push(rule);
            } else {
                cut.push(rule);
            }
        }
        clusters.retain(|rules| !rules.is_empty());
        clusters.sort_by_key(|rules| (std::cmp::Reverse(rules.len()), rules[0]));
        Self { clusters, cut }
    }
}

fn graph(rules: &[Rule]) -> (Graph, Vec<(NodeIndex, NodeIndex)>) {
    let mut graph = Graph::default();
    let mut nodes = BTreeMap::new();
    let ends = rules
        .iter()
        .map(|rule| {
            let [a, b] = [rule.left, rule.right]
                .map(|group| *nodes.entry(group).or_insert_with(|| graph.add_node(group)));
            graph.add_edge(a, b, rule.best().score.max(f64::MIN_POSITIVE));
            (a, b)
        })
        .collect();
    (graph, ends)
}

fn components(graph: &Graph) -> Vec<Vec<NodeIndex>> {
    connected(graph, &graph.node_indices().collect::<Vec<_>>())
}

/// Connected components of the part of the graph on some nodes, each ascending.
fn connected(graph: &Graph, nodes: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
    let mut unseen: BTreeSet<_> = nodes.iter().copied().collect();
    let mut parts = Vec::new();
    while let Some(first) = unseen.pop_first() {
        let mut part = vec![first];
        let mut next = 0;
        while let Some(&node) = part.get(next) {
            next += 1;
            part.extend(graph.neighbors(node).filter(|other| unseen.remove(other)));
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

struct Cut {
    sides: [Vec<NodeIndex>; 2],
    conductance: f64,
}

/// The sweep cut of least conductance along the second eigenvector.
fn bipartition(graph: &Graph, nodes: &[NodeIndex]) -> Option<Cut> {
    if nodes.len() < Clusters::MIN_NODES {
        return None;
    }
    let local: BTreeMap<NodeIndex, usize> = nodes.iter().copied().zip(0..).collect();
    let links: Vec<Vec<(usize, f64)>> = nodes
        .iter()
        .map(|&node| {
            graph
                .edges(node)
                .filter(|edge| edge.source() != edge.target())
                .filter_map(|edge| Some((*local.get(&edge.target())?, *edge.weight())))
                .collect()
        })
        .collect();
    let degrees: Vec<f64> = links
        .iter()
        .map(|row| row.iter().map(|link| link.1).sum())
        .collect();
    let vector = second_eigenvector(&links, &degrees);
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    let place = |i: usize| vector[i] / degrees[i].sqrt();
    order.sort_by(|&a, &b| place(a).total_cmp(&place(b)).then(a.cmp(&b)));

    let total: f64 = degrees.iter().sum();
    let (mut volume, mut cut) = (0.0, 0.0);
    let mut inside = vec![false; nodes.len()];
    let mut best = (f64::INFINITY, 0);
    for (count, &node) in (1..).zip(&order[..nodes.len() - 1]) {
        inside[node] = true;
        volume += degrees[node];
        for &(other, weight) in &links[node] {
            cut += if inside[other] { -weight } else { weight };
        }
        let conductance = cut / volume.min(total - volume);
        if conductance < best.0 {
            best = (conductance, count);
        }
    }
    let (conductance, count) = best;
    let side = |some: &[usize]| some.iter().map(|&i| nodes[i]).collect();
    Some(Cut {
        sides: [side(&order[..count]), side(&order[count..])],
        conductance,
    })
}

/// Second eigenvector of D^-1/2 W D^-1/2, by power iteration on its lazy form (I + A) / 2, whose
/// eigenvalues are not negative.
fn second_eigenvector(links: &[Vec<(usize, f64)>], degrees: &[f64]) -> Vec<f64> {
    const ROUNDS: usize = 1000;
    const TOLERANCE: f64 = 1e-9;
    let root: Vec<f64> = degrees.iter().map(|degree| degree.sqrt()).collect();
    let total: f64 = degrees.iter().sum();
    let settle = |vector: &mut Vec<f64>| {
        // The first eigenvector is the root of the degrees.
        let along: f64 = vector.iter().zip(&root).map(|(x, r)| x * r).sum::<f64>() / total;
        for (x, r) in vector.iter_mut().zip(&root) {
            *x -= along * r;
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 0.0 {
            for x in vector {
                *x /= norm;
            }
        }
    };
    let mut vector: Vec<f64> = (0..links.len() as u64)
        .map(|i| unit(mix(i)) - 0.5)
        .collect();
    settle(&mut vector);
    for _ in 0..ROUNDS {
        let mut next: Vec<f64> = links
            .iter()
            .enumerate()
            .map(|(i, row)| {
                let pulled: f64 = row.iter().map(|&(j, w)| w * vector[j] / root[j]).sum();
                f64::midpoint(vector[i], pulled / root[i])
            })
            .collect();
        settle(&mut next);
        let moved: f64 = next.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum();
        vector = next;
        if moved < TOLERANCE * TOLERANCE {
            break;
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Evidence;
    use crate::{End, Template};
    use peerscope_flow::Transport;

    fn rule(a: u16, b: u16, score: f64) -> Rule {
        let group = |port| FlowGroup {
            transport: Transport::Udp,
            src: End::default(),
            dst: End {
                ip: None,
                port: Some(port),
            },
        };
        Rule {
            left: group(a),
            right: group(b),
            both_ways: false,
            template: Template::Concrete,
            evidence: Evidence {
                score,
                p_value: 0.0,
                p_adjusted: 0.0,
                count_left: 0,
                count_right: 0,
                count_both: 0,
                expected: 0.0,
                windows: 0,
                bindings: 1,
                lag_profile: Vec::new(),
            },
            reverse: None,
            instances: Vec::new(),
        }
    }

    fn clique(from: u16, size: u16) -> Vec<Rule> {
        (0..size)
            .flat_map(|i| (i + 1..size).map(move |j| rule(from + i, from + j, 1.0)))
            .collect()
    }

    #[test]
    fn two_cliques_with_a_weak_bridge_part() {
        let mut rules = clique(0, 5);
        rules.extend(clique(100, 4));
        rules.push(rule(0, 100, 0.5));
        rules.extend(clique(200, 3));
        let found = Clusters::of(&rules, 0.2);
        assert_eq!(
            found.clusters,
            [
                (0..10).collect::<Vec<_>>(),
                (10..16).collect(),
                vec![17, 18, 19]
            ]
        );
        assert_eq!(found.cut, [16]);
    }

    #[test]
    fn a_clique_and_a_star_stay_whole() {
        assert_eq!(Clusters::of(&clique(0, 8), 0.2).clusters.len(), 1);
        let star: Vec<_> = (1..9).map(|i| rule(0, i, 1.0)).collect();
        let found = Clusters::of(&star, 0.2);
        assert_eq!((found.clusters.len(), found.cut.len()), (1, 0));
        assert_eq!(Clusters::of(&[], 0.2), Clusters::default());
        assert_eq!(Clusters::of(&[rule(1, 1, 0.0)], 0.2).clusters, [[0]]);
    }
}
