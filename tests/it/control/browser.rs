//! The engine in a real browser: a script goes through all pages and does there what a person can do.
//!
//! What the script looks for stands in `tests/browser`. Its pictures of every page, as wide as a screen and as narrow
//! as a phone, light and dark, are in `target/browser` afterwards.

use super::*;
use crate::setup::setup_for;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

/// A Python that can drive Chromium.
fn python() -> PathBuf {
    let named = std::env::var_os("TEST_BROWSER_PYTHON").map(PathBuf::from);
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-browser/bin/python");
    let python = named.unwrap_or(made);
    let imports = Command::new(&python)
        .args(["-c", "import playwright, axe_playwright_python"])
        .output();
    assert!(
        imports.is_ok_and(|output| output.status.success()),
        "{} cannot import playwright and axe_playwright_python, with which this test opens the pages: run \
         `bash tests/run.sh`, which installs them and Chromium, or set TEST_BROWSER_PYTHON to a Python for which \
         `pip install playwright axe-playwright-python` was run",
        python.display()
    );
    python
}

/// The script, and what it says.
struct Script {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Script {
    fn start(name: &str, url: &str) -> Self {
        let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
        std::fs::create_dir_all(&pictures).unwrap();
        let mut command = Command::new(python());
        command.arg(Path::new(FOLDER).join(name)).arg(url);
        // Python would leave its own files beside the script.
        command.arg(pictures).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// The next line that asks for something; none: it has ended.
    fn wish(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.said.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if !line.starts_with('#') {
                return Some(line.trim_end().to_owned());
            }
            print!("{line}");
        }
    }

    fn done(&mut self) {
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"done\n")
            .unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn every_page_and_action_works_in_a_browser_wide_and_narrow_light_and_dark() {
    let setup = setup_for(&[PLAYER], 24).await;
    let served = setup
        .served_with(|command| command.args(["--web", "0"]))
        .await;
    let url = served.ready["web"].as_str().unwrap().to_owned();
    let (base, _) = url.split_once("/sign-in").unwrap();
    let port = base.rsplit_once(':').unwrap().1.to_owned();
    let mut served = Some(served);
    let mut script = Script::start("tour.py", &url);
    loop {
        // The simulator needs this thread while the script is waited for.
        let (asked, wish) = tokio::task::spawn_blocking(move || {
            let wish = script.wish();
            (script, wish)
        })
        .await
        .unwrap();
        script = asked;
        match wish.as_deref() {
            Some("kill") => drop(served.take()),
            Some("start") => {
                let again = setup.served_with(|command| command.args(["--web", &port]));
                served = Some(again.await);
            }
            Some(other) => panic!("the script says {other}"),
            None => break,
        }
        script.done();
    }
    let ended = script.child.wait().unwrap();
    assert!(
        ended.success(),
        "{ended}: what it says stands above; the engine: {}",
        setup.log()
    );
}
