//! Every figure of two analyses: its structure, and that its texts do not collide.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use peerscope_report::figure::{self, Band, Curve, Link};
use peerscope_report::{NamedFigure, Report};

#[path = "common/fixtures.rs"]
mod fixtures;

/// Figures that need what no analysis holds.
fn others() -> Vec<NamedFigure> {
    let band = |label: &str, bytes: [f64; 4]| Band {
        label: label.to_owned(),
        bytes: bytes.to_vec(),
    };
    let bands = [
        band("emule", [3e6, 2e6, 0.0, 1e6]),
        band("http", [1e6, 3e6, 0.0, 1e6]),
        band("dns", [1e3, 2e3, 0.0, 0.0]),
    ];
    let curve = |label: &str, found: [f64; 4]| Curve {
        label: label.to_owned(),
        points: [1.0, 10.0, 100.0, 1000.0].into_iter().zip(found).collect(),
    };
    let curves = [
        curve("buddy", [0.0, 0.1, 0.9, 1.0]),
        curve("fake-server", [0.0, 0.6, 1.0, 1.0]),
        curve("very-active", [0.0, 0.0, 0.0, 0.5]),
    ];
    let rules = [["a:80 => b:53", "a:443 => b:53", "c => d"]
        .map(str::to_owned)
        .to_vec()];
    let link = |from, to| Link {
        from,
        to,
        strength: 0.5,
    };
    let figures = [
        (
            "shares",
            figure::shares(
                "incoming traffic",
                1_206_540_000_000_000,
                300_000_000,
                &bands,
            ),
        ),
        (
            "detectability",
            figure::detectability("connections an hour", &curves),
        ),
        (
            "rule-graph",
            figure::rule_graph(&rules, &[link(0, 1), link(1, 2)]),
        ),
    ];
    let named = figures.map(|(name, figure)| NamedFigure {
        name: name.to_owned(),
        figure: figure.unwrap(),
    });
    named.into()
}

struct Text<'a> {
    label: &'a str,
    /// Left, top, right, bottom.
    place: [f64; 4],
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn texts(svg: &str) -> Vec<Text<'_>> {
    let tags = svg.split("<text").skip(1);
    let text = |rest| {
        let (tag, rest): (&str, &str) = str::split_once(rest, '>').unwrap();
        let label = rest.split_once("</text>").unwrap().0.trim();
        let number = |name| attribute(tag, name).unwrap().parse::<f64>().unwrap();
        let size: f64 = number("font-size");
        let width = label.chars().count() as f64 * size * 0.52;
        let (x, y) = (number("x"), number("y"));
        let left = match attribute(tag, "text-anchor").unwrap() {
            "start" => x,
            "middle" => x - width / 2.0,
            _ => x - width,
        };
        let place = if attribute(tag, "transform").is_some() {
            [
                x - size / 2.0,
                y - width / 2.0,
                x + size / 2.0,
                y + width / 2.0,
            ]
        } else {
            [left, y - size * 0.4, left + width, y + size * 0.4]
        };
        Text { label, place }
    };
    tags.map(text).collect()
}

/// Numbers of elements and all texts: what a figure says, without where each pixel lies.
fn structure(figures: &[NamedFigure]) -> String {
    let mut out = String::new();
    for named in figures {
        let svg = named.figure.svg();
        let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
        for rest in svg.split('<').skip(1).filter(|rest| !rest.starts_with('/')) {
            *tags
                .entry(rest.split([' ', '>', '/']).next().unwrap())
                .or_default() += 1;
        }
        let labels: Vec<&str> = texts(svg).iter().map(|text| text.label).collect();
        writeln!(
            out,
            "{}: {}\n  {tags:?}\n  {}",
            named.name,
            named.figure.title(),
            labels.join(" | ")
        )
        .unwrap();
    }
    out
}

fn all(name: &str) -> Vec<NamedFigure> {
    fixtures::open(name).all_figures().collect()
}

#[test]
fn structure_of_the_laboratory() {
    insta::assert_snapshot!("lab-a", structure(&all("lab-a")));
}

#[test]
fn structure_of_the_minipop() {
    insta::assert_snapshot!("minipop-2008", structure(&all("minipop-2008")));
}

#[test]
fn structure_of_the_others() {
    insta::assert_snapshot!("others", structure(&others()));
}

#[test]
fn texts_lie_inside_and_do_not_collide() {
    let mut figures = others();
    for name in ["lab-a", "minipop-2008"] {
        figures.extend(all(name));
    }
    assert!(figures.len() > 50);
    for named in &figures {
        let svg = named.figure.svg();
        let size =
            ["width", "height"].map(|side| attribute(svg, side).unwrap().parse::<f64>().unwrap());
        let texts = texts(svg);
        for (i, text) in texts.iter().enumerate() {
            let [left, top, right, bottom] = text.place;
            let inside =
                left >= -2.0 && top >= -2.0 && right <= size[0] + 2.0 && bottom <= size[1] + 2.0;
            assert!(
                inside,
                "{}: {:?} at {:?} leaves {size:?}",
                named.name, text.label, text.place
            );
            for other in &texts[..i] {
                let [l, t, r, b] = other.place;
                let apart = right <= l || r <= left || bottom <= t || b <= top;
                assert!(
                    apart,
                    "{}: {:?} hits {:?}",
                    named.name, text.label, other.label
                );
            }
        }
    }
}

#[test]
fn figures_say_what_their_axes_measure() {
    for named in all("lab-a") {
        let labels: Vec<&str> = texts(named.figure.svg())
            .iter()
            .map(|text| text.label)
            .collect();
        let graph = named.name.ends_with("-graph");
        assert!(
            graph
                || labels
                    .iter()
                    .any(|label| label.contains(['[', '(']) || label.contains("flows")),
            "{}: {labels:?}",
            named.name
        );
    }
}

#[test]
fn labels_from_outside_are_text() {
    for label in fixtures::LABELS {
        let long = format!("{label}{}", "x".repeat(10_000));
        for label in [label, long.as_str()] {
            let links = [Link {
                from: 0,
                to: 1,
                strength: f64::NAN,
            }];
            let groups = [vec![label.to_owned(), "b".to_owned()]];
            let curve = Curve {
                label: label.to_owned(),
                points: vec![(f64::NAN, 1.0), (1.0, 2.0)],
            };
            let band = Band {
                label: label.to_owned(),
                bytes: vec![f64::NAN, 1.0],
            };
            let report = fixtures::open("lab-a");
            let (_, system) = report.document.systems.iter().next().unwrap();
            let (_, metric) = system.metrics.iter().next().unwrap();
            let figures = [
                figure::metric_graph(label, &groups, &links),
                figure::rule_graph(&groups, &links),
                figure::detectability(label, &[curve]),
                figure::shares(label, i64::MIN, i64::MAX, &[band]),
                figure::histogram(label, label, label, metric, &[0.0, 1.0, 1e300]),
            ];
            for figure in figures {
                let svg = figure.unwrap().svg().to_owned();
                assert!(!svg.contains("<script") && !svg.contains("<img") && !svg.contains("<b>"));
                assert_eq!(svg.matches("<svg").count(), 1);
                assert!(!svg.contains(['\u{202e}', '\u{1b}', '\0']), "{svg}");
            }
        }
    }
}

/// With thousands of findings and labels as long as they come, the page says what it leaves out.
#[test]
fn pages_stay_small() {
    let mut report = fixtures::open("minipop-2008");
    let (findings, exhibits) = (
        &mut report.document.findings.active,
        &mut report.evidence.exhibits,
    );
    let page = |report: &Report| {
        let html = report.page().html;
        assert!(html.len() <= 5_000_000, "{}", html.len());
        html
    };
    let (found, shown) = (findings.clone(), exhibits.clone());
    while findings.len() < 3000 {
        findings.extend(found.iter().cloned());
        exhibits.extend(shown.iter().cloned());
    }
    for change in [0, 1] {
        let html = page(&report);
        let articles = html.matches("<article").count();
        assert!(articles > 100 && articles <= 1000, "{articles}");
        // Every link of the table leads to a finding, the first ones with figure and flows.
        for i in 1..=articles {
            assert!(html.contains(&format!("href=\"#finding-{i}\"")));
            assert!(html.contains(&format!("<article id=\"finding-{i}\"")));
        }
        let (first, _) = html.split_once("id=\"finding-2\"").unwrap();
        let (_, first) = first.split_once("<article").unwrap();
        assert!(first.contains("<svg") && first.contains("<caption>Flows"));
        assert!(html.contains("have numbers only"));
        assert!(html.contains("all are in findings.csv"));
        assert!(!html.contains(".svg\""), "a figure that is not in the page");
        if change == 0 {
            for finding in &mut report.document.findings.active {
                finding.explanation = fixtures::LABELS[1].repeat(300);
            }
        }
    }
}

#[test]
fn full_sheets_stand_beside_the_page() {
    let mut report = fixtures::open("lab-a");
    let html = report.page().html;
    assert!(html.contains("the first 50 are in flows.csv"));
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("finding-flows.csv");
    std::fs::write(&all, "finding,start_us\n1,2\n").unwrap();
    report.flows = Some(all);
    let changes = &mut report.document.changes.hosts;
    *changes = changes.iter().cycle().take(30).cloned().collect();
    let page = report.page();
    assert!(page.html.contains("all are in flows.csv"));
    let out = folder.path().join("sent/report.html");
    std::fs::create_dir(out.parent().unwrap()).unwrap();
    page.write(&out).unwrap();
    let beside = |name: &str| std::fs::read_to_string(out.with_file_name("report-data").join(name));
    assert_eq!(beside("flows.csv").unwrap(), "finding,start_us\n1,2\n");
    // A table that is cut has its rows beside it; each file is linked.
    let changes = beside("host-changes.csv").unwrap();
    assert_eq!(changes.lines().count(), 31);
    assert!(
        page.html
            .contains("(20 of 30; all are in host-changes.csv)")
    );
    for file in &page.files {
        assert!(
            page.html
                .contains(&format!("href=\"report-data/{}\"", file.name))
        );
    }
    report.flows = Some(folder.path().join("gone.csv"));
    let error = report.page().write(&out).unwrap_err();
    assert!(error.to_string().contains("gone.csv"), "{error}");
}

#[test]
fn rules_and_curves_stand_on_the_page() {
    let report = fixtures::open("lab-a");
    let html = report.page().html;
    assert!(
        html.contains("<section id=\"rules\">") && html.contains("Clusters of communication rules")
    );
    assert!(!html.contains("id=\"detectability\""));
    assert!(
        !fixtures::open("minipop-2008")
            .page()
            .html
            .contains("id=\"rules\"")
    );
    let curves = "kind,intensity,recall\nx,1,1\nx,0.5,0\n";
    let mut report = report;
    report.curves = Curve::from_csv(curves.as_bytes()).unwrap();
    assert!(report.page().html.contains("id=\"detectability\""));
    for (bad, message) in [
        ("a,b\n1,2\n", "not \"a,b\""),
        (
            "kind,intensity,recall\nx,1,1\nx,1,NaN\n",
            "line 3, column recall: \"NaN\"",
        ),
    ] {
        let error = Curve::from_csv(bad.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn what_is_withheld_is_said_with_its_reason() {
    let mut report = fixtures::open("lab-a");
    let analysis = br#"{"withheld": [{"metric": "bps-sent-UDP", "source": "<b>", "reason": "one way"}],
        "findings": {"withheld": [{"kind": "buddy", "metric": "bps-sent-UDP", "reason": "one way"}]}}"#;
    let evidence = b"{}".as_slice();
    let bare = Report::from_json(analysis.as_slice(), evidence, report.samples.clone()).unwrap();
    report.document.withheld = bare.document.withheld;
    report.document.findings.withheld = bare.document.findings.withheld;
    let html = report
        .page()
        .html
        .replace("<bdi>", "")
        .replace("</bdi>", "");
    assert!(html.contains("bps-sent-UDP: one way (&lt;b&gt;)"));
    assert!(html.contains("buddy were not looked for: they rest on bps-sent-UDP (one way)"));
}

#[cfg(feature = "png")]
#[test]
fn pictures_have_their_size() {
    let figure = &others()[0].figure;
    let png = figure.png(2.0).unwrap();
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((&png[1..4], side(16), side(20)), (&b"PNG"[..], 1440, 580));
    assert_eq!(png, figure.png(2.0).unwrap());
    for scale in [0.0, -1.0, f32::NAN, 1e9] {
        assert!(figure.png(scale).is_err());
    }
}

/// Pictures of the documentation, by the names of their figures. `PICTURES=write` renews them.
#[test]
fn pictures_of_the_documentation_are_these() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    let names = [
        (
            "kad-outin-fract-unanswered-UDP",
            "kad-outin-fract-unanswered-UDP",
        ),
        ("kad-sensitivity", "kad-sensitivity"),
        ("kad-dominance", "kad-dominance"),
        ("kad-ports-udp", "kad-ports-udp"),
        ("kad-metric-graph", "kad-metric-graph"),
        ("finding-4-activity", "departed-activity"),
        ("finding-2-contacts", "fake-server-contacts"),
        ("traffic-inbound", "traffic-inbound"),
        ("rule-graph", "rule-graph"),
        ("detectability", "detectability"),
    ];
    // A package alone has no documentation.
    if !folder.join("../report.md").exists() {
        return;
    }
    let report = fixtures::open("lab-a").with_curves(folder.join("../detectability.csv"));
    let report = report.unwrap();
    for (name, picture) in names {
        let mut figures = report.all_figures();
        let figure = figures.find(|figure| figure.name == name).unwrap();
        let path = folder.join(format!("{picture}.svg"));
        if std::env::var("PICTURES").is_ok_and(|value| value == "write") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, figure.figure.svg()).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap() == figure.figure.svg(),
            "{picture} is another one"
        );
    }
}
