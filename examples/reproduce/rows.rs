//! Rows of figures, the paper's and ours, each with its criterion and the verdict that follows from it.

use std::fmt::Write as _;

/// One figure of the paper's, and ours.
struct Row {
    place: &'static str,
    what: String,
    paper: String,
    ours: String,
    criterion: String,
    same: bool,
}

#[derive(Default)]
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    pub(crate) fn row(
        &mut self,
        (place, what): (&'static str, &str),
        [paper, ours, criterion]: [String; 3],
        same: bool,
    ) {
        self.0.push(Row {
            place,
            what: what.to_owned(),
            paper,
            ours,
            criterion,
            same,
        });
    }

    /// Two shares, `points` percentage points apart at most.
    pub(crate) fn share(
        &mut self,
        at: (&'static str, &str),
        paper: f64,
        ours: Option<f64>,
        points: f64,
    ) {
        let same = ours.is_some_and(|ours| (100.0 * (ours - paper)).abs() <= points);
        let texts = [
            percent(paper),
            ours.map_or_else(nothing, percent),
            format!("within {points} points"),
        ];
        self.row(at, texts, same);
    }

    /// Two numbers of which one is at most `factor` times the other.
    pub(crate) fn factor(
        &mut self,
        at: (&'static str, &str),
        paper: f64,
        ours: Option<f64>,
        factor: f64,
    ) {
        let same = ours.is_some_and(|ours| {
            let [low, high] = [ours.min(paper), ours.max(paper)];
            low >= 0.0 && high <= low * factor
        });
        let texts = [
            number(paper),
            ours.map_or_else(nothing, number),
            format!("within a factor of {factor}"),
        ];
        self.row(at, texts, same);
    }

    /// A share that is said to be `paper` or more.
    pub(crate) fn at_least(&mut self, at: (&'static str, &str), paper: f64, ours: Option<f64>) {
        let same = ours.is_some_and(|ours| ours >= paper);
        let texts = [
            format!("> {}", percent(paper)),
            ours.map_or_else(nothing, percent),
            "at least so much".to_owned(),
        ];
        self.row(at, texts, same);
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let same = self.0.iter().filter(|row| row.same).count();
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{same} of {} rows have the same shape.\n",
            self.0.len()
        );
        let _ = writeln!(
            text,
            "| place | what | paper | ours | criterion | verdict |"
        );
        let _ = writeln!(text, "|---|---|---|---|---|---|");
        for row in &self.0 {
            let verdict = if row.same {
                "same shape"
            } else {
                "**differs**"
            };
            let Row {
                place,
                what,
                paper,
                ours,
                criterion,
                ..
            } = row;
            let _ = writeln!(
                text,
                "| {place} | {what} | {paper} | {ours} | {criterion} | {verdict} |"
            );
        }
        text
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

pub(crate) fn number(value: f64) -> String {
    peerscope_examples::short(value)
}

pub(crate) fn range(low: f64, high: f64) -> String {
    format!("[{}, {}]", number(low), number(high))
}

pub(crate) fn nothing() -> String {
    "nothing".to_owned()
}
