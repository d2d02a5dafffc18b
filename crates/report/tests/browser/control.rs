//! A browser that is told what to do over two pipes (the `DevTools` protocol of Chrome): keys are
//! pressed, not simulated in the page.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command};

use libtest_mimic::Failed;
use serde_json::{Value, json};

/// A page in a browser of its own.
pub(crate) struct Browser {
    process: Child,
    commands: File,
    answers: BufReader<File>,
    session: Option<String>,
    number: u64,
}

impl Browser {
    /// Opens a page from disk; `folder` takes pipes and profile.
    pub(crate) fn open(program: &Path, page: &Path, folder: &Path) -> Result<Self, Failed> {
        let [to, from] = ["to", "from"].map(|name| folder.join(name));
        Command::new("mkfifo").args([&to, &from]).status()?;
        let profile = folder.join("profile");
        let process = Command::new("sh")
            .args([
                "-c",
                "exec timeout 60 \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\" 2>/dev/null",
            ])
            .arg(program)
            .args(super::QUIET)
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.display()))
            .envs([("TO", &to), ("FROM", &from)])
            .spawn()?;
        let mut browser = Self {
            process,
            commands: File::options().write(true).open(&to)?,
            answers: BufReader::new(File::open(&from)?),
            session: None,
            number: 0,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach)?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        let focus = json!({ "enabled": true });
        browser.call("Emulation.setFocusEmulationEnabled", &focus)?;
        let url = json!({ "url": format!("file://{}", page.display()) });
        browser.call("Page.navigate", &url)?;
        for _ in 0..200 {
            let there = "location.protocol === 'file:' && document.readyState === 'complete'";
            if browser.evaluate(there)? == true {
                return Ok(browser);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err("the page does not load".into())
    }

    /// One command and its result; events in between are passed over.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, Failed> {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.commands.write_all(message.to_string().as_bytes())?;
        self.commands.write_all(b"\0")?;
        loop {
            let mut answer = Vec::new();
            if self.answers.read_until(0, &mut answer)? == 0 {
                return Err(format!("{method}: the browser is gone").into());
            }
            answer.pop();
            let mut answer: Value = serde_json::from_slice(&answer)?;
            if answer["id"] == self.number {
                if answer["error"].is_null() {
                    return Ok(answer["result"].take());
                }
                return Err(format!("{method}: {}", answer["error"]).into());
            }
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Result<Value, Failed> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", &parameters)?;
        if result["exceptionDetails"].is_null() {
            Ok(result["result"]["value"].take())
        } else {
            Err(format!("{expression}: {}", result["exceptionDetails"]).into())
        }
    }

    /// Presses and releases a key, by its name and number, with the text that it makes.
    pub(crate) fn press(&mut self, key: &str, number: u32, text: &str) -> Result<(), Failed> {
        let mut event = json!({
            "type": if text.is_empty() { "rawKeyDown" } else { "keyDown" },
            "key": key, "code": key, "windowsVirtualKeyCode": number, "text": text,
        });
        self.call("Input.dispatchKeyEvent", &event)?;
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", &event)?;
        Ok(())
    }

    /// What has the focus: its role in the page, and whether one sees that it has.
    pub(crate) fn focus(&mut self) -> Result<(String, bool), Failed> {
        let found = self.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);
             const role = e.id === 'theme' ? 'theme' : e.closest('th') ? 'sort'
                 : e.closest('.filter') ? 'filter' : e.getAttribute('href') || e.className || e.tagName;
             return [role, e.matches(':focus-visible') && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]; })()",
        )?;
        let role = found[0].as_str().unwrap_or_default().to_owned();
        Ok((role, found[1] == true))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session = None;
        let _ = self.call("Browser.close", &json!({}));
        let _ = self.process.wait();
    }
}
