//! A report: what it is made from, and what it makes.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::figure::{self, Curve, Link};
use crate::model::{Document, Evidence, Exhibit, Finding, RuleDocument, System};
use crate::{Content, Figure, Page, ReportError, Samples};

/// Everything that is reported of an analysis.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Report {
    /// The analysis.
    pub document: Document,
    /// What stands behind its findings.
    pub evidence: Evidence,
    /// Its samples.
    pub samples: Samples,
    /// A CSV of all flows behind the findings, to stand beside the page. Without it, and without
    /// one of all peers, the page says that it has the first of each finding.
    pub flows: Option<PathBuf>,
    /// A CSV of all peers behind the findings.
    pub peers: Option<PathBuf>,
    /// Communication rules of the same traffic, if there are any.
    pub rules: RuleDocument,
    /// How strong planted behaviour has to be to be found, if that was measured.
    pub curves: Vec<Curve>,
}

/// A figure with the name of its file, without extension.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct NamedFigure {
    /// Letters, digits and hyphens.
    pub name: String,
    /// The figure.
    pub figure: Figure,
}

impl Report {
    /// A report of an analysis as JSON, and its evidence as JSON.
    ///
    /// # Errors
    ///
    /// With line and column if either is not the JSON expected.
    pub fn from_json(
        analysis: impl Read,
        evidence: impl Read,
        samples: Samples,
    ) -> Result<Self, ReportError> {
        Ok(Self {
            document: serde_json::from_reader(analysis)?,
            evidence: serde_json::from_reader(evidence)?,
            samples,
            ..Self::default()
        })
    }

    /// A report of the folder that `analyze` writes: `analysis.json`, `samples.csv`,
    /// `evidence.json`, without which findings have no figures and flows, `finding-flows.csv` and
    /// `finding-peers.csv`, without which the page has the first of each finding.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or holds something else; the message names file and place.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ReportError> {
        let folder = folder.as_ref();
        let evidence = folder.join("evidence.json");
        let known = |name| Some(folder.join(name)).filter(|path: &PathBuf| path.exists());
        Ok(Self {
            document: read(folder.join("analysis.json"), |file| {
                Ok(serde_json::from_reader(file)?)
            })?,
            samples: read(folder.join("samples.csv"), Samples::from_csv)?,
            evidence: if evidence.exists() {
                read(evidence, |file| Ok(serde_json::from_reader(file)?))?
            } else {
                Evidence::default()
            },
            flows: known("finding-flows.csv"),
            peers: known("finding-peers.csv"),
            ..Self::default()
        })
    }

    /// Adds communication rules from the JSON that `rules` writes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds something else; the message names file and place.
    pub fn with_rules(mut self, path: impl AsRef<Path>) -> Result<Self, ReportError> {
        self.rules = read(path.as_ref().to_owned(), |file| {
            Ok(serde_json::from_reader(file)?)
        })?;
        Ok(self)
    }

    /// Adds curves from the CSV that `detect curves` writes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds something else; the message names file and place.
    pub fn with_curves(mut self, path: impl AsRef<Path>) -> Result<Self, ReportError> {
        self.curves = read(path.as_ref().to_owned(), Curve::from_csv)?;
        Ok(self)
    }

    /// The page.
    pub fn page(&self) -> Page {
        Page::new(self)
    }

    /// Every figure: those of the analysis as a whole, of its rules, of its metrics and of its
    /// findings. Each is drawn when it is asked for.
    pub fn all_figures(&self) -> impl Iterator<Item = NamedFigure> {
        let of_metrics = self.document.systems.iter().flat_map(|(system, outcome)| {
            let metrics = outcome.metrics.iter();
            metrics.filter_map(|(metric, _)| self.metric_figure(system, metric))
        });
        let findings = 0..self.document.findings.active.len();
        let of_findings = findings.flat_map(|finding| self.evidence_figures(finding));
        self.figures()
            .into_iter()
            .chain(of_metrics)
            .chain(of_findings)
    }

    /// The figures of the analysis as a whole, by system, and of its rules; those of findings are
    /// given by [`evidence_figures`](Self::evidence_figures), those of metrics by
    /// [`metric_figure`](Self::metric_figure).
    pub fn figures(&self) -> Vec<NamedFigure> {
        let mut figures = self.traffic_figures();
        for (name, system) in self.document.systems.iter() {
            figures.extend(self.system_figures(name, system));
        }
        figures.extend(self.rule_figures());
        figures
    }

    pub(crate) fn rule_figures(&self) -> Vec<NamedFigure> {
        let (clusters, links) = crate::rule_links::rule_links(&self.rules);
        let figures = [
            ("rule-graph", figure::rule_graph(&clusters, &links)),
            (
                "detectability",
                figure::detectability("intensity [1: as in the paper]", &self.curves),
            ),
        ];
        let named = figures.into_iter().filter_map(|(name, figure)| {
            Some(NamedFigure {
                name: name.to_owned(),
                figure: figure?,
            })
        });
        named.collect()
    }

    pub(crate) fn traffic_figures(&self) -> Vec<NamedFigure> {
        let traffic = &self.document.overview.traffic;
        let inbound = crate::bands::bands(traffic, |period| &period.inbound);
        let outbound = crate::bands::bands(traffic, |period| &period.outbound);
        let figures = [
            ("inbound", "traffic to monitored hosts", inbound),
            ("outbound", "traffic of monitored hosts", outbound),
        ];
        let named = figures.into_iter().filter_map(|(kind, what, bands)| {
            let bands = bands?;
            let figure = figure::shares(what, bands.start_us, bands.bin_us, &bands.all);
            Some(NamedFigure {
                name: format!("traffic-{kind}"),
                figure: figure?,
            })
        });
        named.collect()
    }

    pub(crate) fn system_figures(&self, name: &str, system: &System) -> Vec<NamedFigure> {
        let points = dominance_points(system);
        let (groups, links) = self.metric_links(name, system);
        let sensitive = most_interesting(system);
        let sensitivity = sensitive.and_then(|metric| {
            let values = self.samples.sorted(name, metric)?;
            figure::sensitivity(name, metric, &values)
        });
        let ports = |transport| figure::ports(name, transport, &self.evidence.ports);
        let figures = [
            ("dominance", figure::dominance(name, &points)),
            ("metric-graph", figure::metric_graph(name, &groups, &links)),
            ("sensitivity", sensitivity),
            ("ports-udp", ports("udp")),
            ("ports-tcp", ports("tcp")),
        ];
        let named = figures.into_iter().filter_map(|(kind, figure)| {
            Some(NamedFigure {
                name: format!("{}-{kind}", file_name(name)),
                figure: figure?,
            })
        });
        named.collect()
    }

    /// The histogram of a metric of a system; `None` without values.
    pub fn metric_figure(&self, system: &str, metric: &str) -> Option<NamedFigure> {
        let outcome = self.document.systems.get(system)?.metrics.get(metric)?;
        let values = self.samples.values(system, metric);
        let unit = self.samples.unit(metric);
        Some(NamedFigure {
            name: format!("{}-{}", file_name(system), file_name(metric)),
            figure: figure::histogram(system, metric, unit, outcome, &values)?,
        })
    }

    /// What shows the evidence of a finding, by its number: the most telling figure first.
    pub fn evidence_figures(&self, finding: usize) -> Vec<NamedFigure> {
        let found = self.document.findings.active.get(finding);
        let (Some(found), Some(exhibit)) = (found, self.evidence.exhibits.get(finding)) else {
            return Vec::new();
        };
        let contacts = (
            "contacts",
            figure::contacts(&self.evidence, &exhibit.contacts),
        );
        let activity = ("activity", self.activity(found, exhibit));
        let figures = match found.kind.as_str() {
            "fake-server" | "buddy" => [contacts, activity],
            _ => [activity, contacts],
        };
        let named = figures.into_iter().filter_map(|(kind, figure)| {
            Some(NamedFigure {
                name: format!("finding-{}-{kind}", finding + 1),
                figure: figure?,
            })
        });
        named.collect()
    }

    fn activity(&self, finding: &Finding, exhibit: &Exhibit) -> Option<Figure> {
        let subject = match finding.hosts.as_slice() {
            [one] => figure::cut(one, 40),
            hosts => format!("{} hosts", hosts.len()),
        };
        let label = if finding.kind == "departed-hosts" {
            "departed"
        } else {
            "begins"
        };
        figure::activity(
            &subject,
            &self.evidence,
            exhibit,
            Some((finding.start_us, label)),
        )
    }

    fn metric_links(&self, name: &str, system: &System) -> (Vec<Vec<String>>, Vec<Link>) {
        let groups = self
            .document
            .metric_groups
            .iter()
            .filter(|group| group.system == name);
        let groups: Vec<Vec<String>> = groups.map(|group| group.metrics.clone()).collect();
        let number = |metric: &str| groups.iter().flatten().position(|name| name == metric);
        let links = system.pairs.iter().filter_map(|pair| {
            // As the analysis joins metrics: more often together than by chance, significantly.
            let coincident = pair
                .shift
                .is_some_and(|test| self.document.is_significant(test.adjusted))
                && pair.lift.is_some_and(|lift| lift > 1.0);
            let (from, to) = (number(&pair.left)?, number(&pair.right)?);
            coincident.then_some(Link {
                from,
                to,
                strength: pair.overlap.unwrap_or(0.0),
            })
        });
        let links = links.collect();
        (groups, links)
    }
}

fn dominance_points(system: &System) -> Vec<figure::DominancePoint> {
    let points = system.metrics.iter().filter_map(|(name, metric)| {
        Some(figure::DominancePoint {
            metric: name.to_owned(),
            sample_fraction: metric.interesting.as_ref()?.fraction,
            host_fraction: metric.dominance?.host_fraction,
        })
    });
    points.collect()
}

/// The paper's metric if it was clustered, else the one with most interesting samples.
fn most_interesting(system: &System) -> Option<&str> {
    const PAPER: &str = "outin-fract-unanswered-UDP";
    let count =
        |metric: &crate::model::Metric| metric.interesting.as_ref().map(|found| found.count);
    if system
        .metrics
        .get(PAPER)
        .is_some_and(crate::model::Metric::is_clustered)
    {
        return Some(PAPER);
    }
    let counted = system
        .metrics
        .iter()
        .filter_map(|(name, metric)| Some((count(metric)?, name)));
    counted
        .max_by_key(|(count, name)| (*count, std::cmp::Reverse(*name)))
        .map(|(_, name)| name)
}

/// A name as part of a file name or an anchor: letters, digits and hyphens of it, not many.
pub(crate) fn file_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    text.chars().take(60).map(plain).collect()
}

fn read<T>(
    path: PathBuf,
    parse: impl FnOnce(BufReader<File>) -> Result<T, ReportError>,
) -> Result<T, ReportError> {
    match File::open(&path) {
        Err(source) => Err(ReportError::File { path, source }),
        Ok(file) => parse(BufReader::new(file)).map_err(|source| ReportError::Content {
            path,
            source: Box::new(source),
        }),
    }
}

impl Page {
    /// Writes the page, and what stands beside it into the folder that it links to.
    ///
    /// # Errors
    ///
    /// If a file cannot be written; the message names it.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        let path = path.as_ref();
        let at = |path: PathBuf| move |source| ReportError::File { path, source };
        let folder = path.parent().unwrap_or(Path::new("")).join(Self::FOLDER);
        fs::create_dir_all(&folder).map_err(at(folder.clone()))?;
        for file in &self.files {
            let beside = folder.join(&file.name);
            match &file.content {
                Content::Text(text) => fs::write(&beside, text).map_err(at(beside))?,
                // An error may be about either; the source is the one that can be missing.
                Content::CopyOf(source) => {
                    fs::copy(source, &beside).map_err(at(source.clone()))?;
                }
            }
        }
        fs::write(path, &self.html).map_err(at(path.to_owned()))
    }
}
