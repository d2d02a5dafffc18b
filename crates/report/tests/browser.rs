//! The page in a browser: Chromium, headless, with an empty profile, offline.
//!
//! Without Chromium the tests show as ignored, and fail where `CI=true`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use peerscope_report::Report;
use serde_json::json;

use control::Browser;

#[path = "browser/control.rs"]
mod control;
#[path = "common/fixtures.rs"]
mod fixtures;
#[path = "browser/hostile.rs"]
mod hostile;

/// Runs in the page and says what it found.
const CHECK: &str = include_str!("browser/check.js");

fn main() -> ExitCode {
    let browser = browser();
    let wanted = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let missing = browser.is_none();
    let test = |name: &str, page: fn() -> Report, size: &'static str, checks: &'static str| {
        let browser = browser.clone();
        let test = Trial::test(name.to_owned(), move || match browser {
            Some(browser) => run(&browser, &page().page().html, size, checks),
            None => Err("no Chromium: install the package chromium".into()),
        });
        test.with_ignored_flag(missing && !wanted)
    };
    let all = "network tables links overflow dark";
    let mut tests = vec![
        test("lab_in_a_wide_window", lab, "1280,900", all),
        test("lab_in_a_narrow_window", lab, "400,800", all),
        test(
            "lab_where_dark_is_preferred",
            lab,
            "1280,900",
            "dusk overflow dark",
        ),
        test("minipop_in_a_wide_window", minipop, "1280,900", all),
        test("minipop_in_a_narrow_window", minipop, "400,800", "overflow"),
        test(
            "hostile_labels_are_text",
            hostile::report,
            "1280,900",
            "hostile network tables links overflow dark",
        ),
        test(
            "hostile_labels_in_a_narrow_window",
            hostile::report,
            "400,800",
            "hostile overflow",
        ),
    ];
    let driven = |name: &str, test: fn(&Path) -> Result<(), Failed>| {
        let browser = browser.clone();
        let test = Trial::test(name.to_owned(), move || match browser {
            Some(browser) => test(&browser),
            None => Err("no Chromium: install the package chromium".into()),
        });
        test.with_ignored_flag(missing && !wanted)
    };
    tests.push(driven("all_works_by_keyboard", keyboard));
    tests.push(driven("print_is_light_whole_and_within_the_sheet", print));
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn lab() -> Report {
    fixtures::open("lab-a")
}

fn minipop() -> Report {
    fixtures::open("minipop-2008")
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| {
            ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
        })
        .find(|candidate| candidate.is_file())
}

/// Headless, and as little of its own business as can be.
const QUIET: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=NetworkTimeServiceQuerying",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

fn ensure(holds: bool, what: impl Into<Failed>) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// By Tab, Enter, Space and letters alone: theme, sorting, filtering, and the way to a finding; at
/// every stop the focus can be seen.
fn keyboard(program: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.html");
    fs::write(&file, lab().page().html)?;
    let mut page = Browser::open(program, &file, folder.path())?;
    let (mut theme, mut sorted, mut filtered) = (false, false, false);
    for _ in 0..300 {
        page.press("Tab", 9, "")?;
        let (role, seen) = page.focus()?;
        ensure(seen, format!("the focus on {role} cannot be seen"))?;
        match role.as_str() {
            "theme" if !theme => {
                page.press("Enter", 13, "\r")?;
                let now = page.evaluate("document.documentElement.dataset.theme")?;
                ensure(now == "dark", format!("the theme is {now} after Enter"))?;
                theme = true;
            }
            "sort" if !sorted => {
                let order = "document.activeElement.closest('th').getAttribute('aria-sort')";
                page.press("Enter", 13, "\r")?;
                let now = page.evaluate(order)?;
                ensure(now == "ascending", format!("sorted {now} after Enter"))?;
                page.press(" ", 32, " ")?;
                let now = page.evaluate(order)?;
                ensure(now == "descending", format!("sorted {now} after Space"))?;
                sorted = true;
            }
            "filter" if !filtered => {
                let rows = "Array.from(document.activeElement.closest('.filter').nextElementSibling.querySelectorAll('tbody tr')).filter((row) => !row.hidden).length";
                let before = page.evaluate(rows)?;
                page.press("q", 81, "q")?;
                page.press("z", 90, "z")?;
                let now = page.evaluate(rows)?;
                ensure(now == 0, format!("{now} of {before} rows have qz"))?;
                page.press("Backspace", 8, "")?;
                page.press("Backspace", 8, "")?;
                let now = page.evaluate(rows)?;
                ensure(now == before, format!("{now} of {before} rows come back"))?;
                filtered = true;
            }
            "#finding-1" => {
                ensure(
                    theme && sorted && filtered,
                    "something cannot be reached by Tab",
                )?;
                page.press("Enter", 13, "\r")?;
                let reached = page.evaluate("document.querySelector(':target').id")?;
                return ensure(reached == "finding-1", format!("Enter leads to {reached}"));
            }
            _ => {}
        }
    }
    Err("Tab does not reach the first finding".into())
}

/// What a printer gets, from a page that was dark on the screen.
fn print(program: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.html");
    fs::write(&file, minipop().page().html)?;
    let mut page = Browser::open(program, &file, folder.path())?;
    page.evaluate("document.getElementById('theme').click()")?;
    // A4 within margins of 10 mm, in pixels of 1/96 inch.
    let sheet = json!({ "width": 718, "height": 1047, "deviceScaleFactor": 1, "mobile": false });
    page.call("Emulation.setDeviceMetricsOverride", &sheet)?;
    page.call("Emulation.setEmulatedMedia", &json!({ "media": "print" }))?;
    let checks = [
        (
            "the sheet is white",
            "getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'",
        ),
        (
            "figures are white",
            "getComputedStyle(document.querySelector('svg rect[fill=\"#FFFFFF\"]')).fill === 'rgb(255, 255, 255)'",
        ),
        (
            "ink is dark",
            "getComputedStyle(document.querySelector('svg text[fill=\"#1A1A1A\"]')).fill === 'rgb(26, 26, 26)'",
        ),
        (
            "nothing leaves the sheet",
            "Array.from(document.querySelectorAll('table, svg, p, li')).every((e) => e.getBoundingClientRect().right <= 718.5)",
        ),
        (
            "nothing is cut",
            "Array.from(document.querySelectorAll('.table, .picture')).every((e) => getComputedStyle(e).overflow === 'visible')",
        ),
        (
            "no section is hidden",
            "Array.from(document.querySelectorAll('section, article, figure, table')).every((e) => e.getBoundingClientRect().height > 0)",
        ),
    ];
    for (what, check) in checks {
        ensure(page.evaluate(check)? == true, format!("not so: {what}"))?;
    }
    Ok(())
}

fn run(browser: &Path, page: &str, size: &str, checks: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.html");
    let page = page.replacen("<html ", &format!("<html data-check=\"{checks}\" "), 1);
    fs::write(
        &file,
        page.replace("</body>", &format!("<script>{CHECK}</script></body>")),
    )?;
    // A window cannot be as narrow as a frame can.
    let (width, height) = size.split_once(',').unwrap_or((size, "900"));
    let frame = folder.path().join("frame.html");
    fs::write(
        &frame,
        format!(
            "<!DOCTYPE html><body><script>onmessage = (event) => {{ const out = document.createElement('pre'); \
             out.id = 'checked'; out.textContent = event.data; document.body.append(out); }};</script>\
             <iframe src=report.html style='border:0;width:{width}px;height:{height}px'></iframe></body>"
        ),
    )?;
    let start = if width == "400" { &frame } else { &file };
    let log = folder.path().join("net.json");
    let mut command = Command::new(browser);
    command.args(QUIET);
    command.args([
        "--enable-logging=stderr",
        "--virtual-time-budget=20000",
        "--dump-dom",
    ]);
    if checks.contains("dusk") {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let option = |name: &str, value: &OsStr| {
        let mut option = std::ffi::OsString::from(name);
        option.push(value);
        option
    };
    command.arg(format!("--window-size={size}"));
    command.arg(option(
        "--user-data-dir=",
        folder.path().join("profile").as_os_str(),
    ));
    command.arg(option("--log-net-log=", log.as_os_str()));
    command.arg(option("file://", start.as_os_str()));
    let done = command.output()?;
    let (dom, errors) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );

    let mut said = errors.lines().filter(|line| line.contains("CONSOLE"));
    if let Some(line) = said.next() {
        return Err(format!("the console says {line}").into());
    }
    if let Some(url) = requested(&fs::read_to_string(&log).unwrap_or_default()) {
        return Err(format!("the page asked for {url}").into());
    }
    let result = dom
        .rsplit_once("<pre id=\"checked\">")
        .map_or("", |(_, rest)| rest);
    let result = result
        .split_once("</pre>")
        .map_or(result, |(result, _)| result);
    if result == format!("width {width}; all well") {
        Ok(())
    } else if result.is_empty() {
        Err(format!(
            "nothing was checked: {}",
            errors.lines().last().unwrap_or_default()
        )
        .into())
    } else {
        Err(result.to_owned().into())
    }
}

/// What Chromium asks on its own account; names do not resolve in the tests, so nothing gets there.
const MAKER: [&str; 3] = ["google.com/", "googleapis.com/", "gstatic.com/"];

/// The first address beyond the machine that was asked for, but for what Chromium asks its maker.
/// That the page itself refers to nothing is checked in the page.
fn requested(log: &str) -> Option<&str> {
    let urls = log.split("\"url\":\"").skip(1);
    urls.filter_map(|rest| rest.split('"').next())
        .filter(|url| !MAKER.iter().any(|host| url.contains(host)))
        .find(|url| url.starts_with("http") || url.starts_with("ws") || url.starts_with("//"))
}
