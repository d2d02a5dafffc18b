//! The page in a browser: Chromium, headless, with an empty profile, offline.
//!
//! Without Chromium the tests show as ignored, and fail where `CI=true`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use peerscope_report::Report;

#[path = "common/hostile.rs"]
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
    let tests = vec![
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
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn lab() -> Report {
    hostile::open("lab-a")
}

fn minipop() -> Report {
    hostile::open("minipop-2008")
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| {
            ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
        })
        .find(|candidate| candidate.is_file())
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
    command.args([
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
