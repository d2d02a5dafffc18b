//! One self-contained page: summary, findings with their evidence, systems with their metrics.

mod changes;
mod findings;
mod rules;
mod sheet;
mod summary;
mod systems;
mod table;

use std::path::PathBuf;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::Report;
use table::shown;

/// A page in one file that needs no network, and the files beside it that hold what is cut in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Page {
    /// The page.
    pub html: String,
    /// Files in the folder [`Page::FOLDER`] beside it.
    pub files: Vec<SideFile>,
}

/// A file beside the page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct SideFile {
    /// Its name in the folder.
    pub name: String,
    /// What it holds.
    pub content: Content,
}

/// What a file beside the page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "in memory or not")]
pub enum Content {
    /// A text.
    Text(String),
    /// The same as this file, which may be too large for memory.
    CopyOf(PathBuf),
}

impl SideFile {
    fn text(name: &str, text: String) -> Self {
        Self {
            name: name.to_owned(),
            content: Content::Text(text),
        }
    }
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Nothing is loaded from anywhere.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

impl Page {
    /// The folder beside the page with the files it links to.
    pub const FOLDER: &str = "report-data";

    pub(crate) fn new(report: &Report) -> Self {
        let mut files = sheet::sheets(report);
        let sections = [
            summary::section(report, &mut files),
            findings::section(report),
            systems::section(report, &mut files),
            rules::section(report, &mut files),
        ];
        let body = html! {
            header {
                h1 { "Traffic report: " (shown(&report.document.family)) }
                nav aria-label="Sections" {
                    a href="#summary" { "Summary" }
                    a href="#findings" { "Findings" }
                    a href="#systems" { "Systems" }
                    @if !report.rules.rules.is_empty() { a href="#rules" { "Rules" } }
                    @if !report.curves.is_empty() { a href="#detectability" { "Detectability" } }
                    a href="#data" { "Data" }
                }
                button #theme type="button" hidden { "Dark or light" }
            }
            main {
                @for section in &sections { (section) }
                (data(&files))
            }
        };
        Self {
            html: document(&report.document.family, &body).into_string(),
            files,
        }
    }
}

fn document(family: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                link rel="icon" href="data:,";
                title { "Traffic report: " (shown(family)) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) script { (PreEscaped(SCRIPT)) } }
        }
    }
}

fn data(files: &[SideFile]) -> Markup {
    html! {
        section #data {
            h2 { "Data" }
            p { "The tables of this page in full, as CSV in the folder beside it:" }
            ul {
                @for file in files {
                    li { a href=(format!("{}/{}", Page::FOLDER, file.name)) { (file.name) } }
                }
            }
        }
    }
}

/// A figure in the page. SVG escapes its own texts.
fn picture(figure: &crate::Figure) -> Markup {
    html! {
        figure {
            div.picture tabindex="0" { (PreEscaped(figure.svg())) }
            figcaption { (shown(figure.title())) }
        }
    }
}
