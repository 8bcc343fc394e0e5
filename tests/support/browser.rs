//! A headless Chromium for one test, spoken to by the DevTools protocol over its pipe: no driver, no port, and no
//! crate but `serde_json` and `base64`. Another package takes it in by `#[path = "../../tests/support/browser.rs"]`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(60);

/// The shell puts the pipe where Chromium looks for it: commands at 3, answers at 4.
const START: &str = r#"exec "$0" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --no-first-run --remote-debugging-pipe --user-data-dir="$1" about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    /// What the page complained of: errors, refused resources, violations of its policy.
    complaints: Vec<String>,
    profile: PathBuf,
}

/// How wide the page is, and in which colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is none: it says what to install.
    pub(crate) fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("cached-redis-browser-{}-{number}", std::process::id());
        let profile = std::env::temp_dir().join(name);
        let mut child = Command::new("sh")
            .args(["-c", START, &program()])
            .arg(&profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts the browser");
        let commands = child.stdin.take().expect("its commands are piped");
        let messages = listen(child.stdout.take().expect("its answers are piped"));
        let mut browser = Self {
            child,
            commands,
            messages,
            session: String::new(),
            last: 0,
            complaints: Vec::new(),
            profile,
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let id = target["targetId"].clone();
        let flat = json!({"targetId": id, "flatten": true});
        let attached = self.call("Target.attachToTarget", &flat);
        self.session = text(&attached["sessionId"]);
        for domain in ["Page", "Runtime", "Log", "Audits"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Opens a page and waits until it has run.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({"url": url}));
        self.until("document.readyState === 'complete' && location.protocol !== 'about:'");
    }

    pub(crate) fn look(&mut self, look: Look) {
        let Look {
            width,
            height,
            scheme,
        } = look;
        let is_narrow = width < 600;
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_narrow});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// What an expression gives in the page.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", &asked);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "`{script}`: {failed}");
        answer["result"]["value"].take()
    }

    /// Looks again and again until the expression is true in the page.
    pub(crate) fn until(&mut self, script: &str) {
        let until = Instant::now() + BOUND;
        while self.eval(script) != json!(true) {
            let complaints = &self.complaints;
            assert!(
                Instant::now() < until,
                "still waiting for `{script}`: {complaints:?}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses one key, by the name that events have for it.
    pub(crate) fn press(&mut self, key: &str) {
        let written = if key.chars().count() == 1 { key } else { "" };
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            _ => 0,
        };
        let written = if key == "Enter" { "\r" } else { written };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({"type": kind, "key": key, "text": written, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// The whole page as a PNG, in `target/pictures/`; a name may begin with a folder.
    pub(crate) fn picture(&mut self, name: &str) -> PathBuf {
        let asked = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.call("Page.captureScreenshot", &asked);
        let bytes = BASE64_STANDARD.decode(text(&picture["data"]));
        let bytes = bytes.expect("a picture in base64");
        let path = pictures().join(format!("{name}.png"));
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder for pictures");
        fs::write(&path, bytes).expect("the picture is written");
        path
    }

    /// What the page has complained of until now.
    pub(crate) fn complaints(&mut self) -> &[String] {
        self.eval("1"); // what was said before comes first
        &self.complaints
    }

    /// What was complained of until now is what the test is about.
    pub(crate) fn forgive(&mut self) {
        self.complaints.clear();
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let sent = self.commands.write_all(format!("{command}\0").as_bytes());
        sent.unwrap_or_else(|error| panic!("the browser has ended: {error}"));
        loop {
            let message = self.messages.recv_timeout(BOUND);
            let mut message = message.unwrap_or_else(|error| panic!("`{method}`: {error}"));
            if message["id"] == json!(self.last) {
                let error = &message["error"];
                assert!(error.is_null(), "`{method}`: {error}");
                return message["result"].take();
            }
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Value) {
        let params = &message["params"];
        let is_bad = match message["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Audits.issueAdded") => true,
            Some("Runtime.consoleAPICalled") => params["type"] == "error",
            Some("Log.entryAdded") => params["entry"]["level"] == "error",
            _ => false,
        };
        if is_bad {
            self.complaints.push(params.to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The first of its usual names that is there.
fn program() -> String {
    let there = |name: &&str| {
        Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|it| it.status.success())
    };
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(there);
    let found = found.expect("these tests start `chromium`, which was not found: run `scripts/need-browser`, or install it (`apt-get install chromium`)");
    found.to_owned()
}

/// Messages end with a NUL.
fn listen(answers: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let answers = BufReader::new(answers).split(0);
        for answer in answers.map_while(Result::ok) {
            let message = serde_json::from_slice(&answer).unwrap_or_default();
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}

fn pictures() -> PathBuf {
    let program = std::env::current_exe().expect("a test is a file");
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("pictures")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
