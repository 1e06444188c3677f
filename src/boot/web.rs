//! The engine's web pages: where they are, what opens them, and whom they ask.

use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

use crate::basics::Form;
use crate::cli::{CliError, ServeArgs};
use crate::config::{Config, open_lock, read_key_file};
use crate::control::ControlState;
use crate::supervision::{ChildSpec, EndReason, report_state};
use crate::web::{Ask, AskError, Secret, WebPlace, WebSettings, serve};

/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 16;

/// The address of the pages, if somebody wants them.
pub(super) fn open(
    config: &Config,
    args: &ServeArgs,
    socket: &Path,
) -> Result<Option<WebPlace>, CliError> {
    // Its form was checked when the configuration was read.
    let addr = args.web.or_else(|| config.web.listen().unwrap_or_default());
    let Some(addr) = addr else { return Ok(None) };
    let settings = WebSettings {
        addr,
        hosts: config.web.hosts(),
        prefix: config.web.prefix.clone(),
        read_only: args.web_read_only || config.web.read_only,
        secret: secret(config, addr, socket)?,
    };
    let place = WebPlace::open(settings).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(Some(place))
}

/// The password of the settings; without one, a secret in a file beside the control socket, which opens more than the
/// pages do and is as private. It outlives the engine, so that a page that is open goes on with the next one.
fn secret(config: &Config, addr: SocketAddr, socket: &Path) -> Result<Secret, CliError> {
    let path = &config.web.password_file;
    if !path.is_empty() {
        let wrong = |why: String| {
            CliError::Usage(format!(
                "the password file of the web pages, {path}: {why}. Check web.password_file"
            ))
        };
        let text = read_key_file(Path::new(path)).map_err(|error| wrong(error.to_string()))?;
        return Secret::new(&text).map_err(|weak| wrong(weak.to_string()));
    }
    if !addr.ip().is_loopback() {
        return Err(CliError::Usage(format!(
            "others can reach {addr}, so the web pages need a password there: write one into a file that only you can \
             read, and name it in web.password_file (RIFTSYNC_WEB__PASSWORD_FILE). Or leave the address out: they are \
             at 127.0.0.1 then"
        )));
    }
    let path = secret_path(socket);
    kept_secret(&path).map_err(|error| {
        CliError::Usage(format!(
            "the secret of the web pages cannot be kept in {}: {error}. Remove that file, or name a password file in \
             web.password_file",
            path.display()
        ))
    })
}

fn secret_path(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".web-secret");
    name.into()
}

/// The secret of a file, which is made with a new one if it has none.
fn kept_secret(path: &Path) -> io::Result<Secret> {
    // It makes a file that is its owner's alone, and follows no link.
    let mut file = open_lock(path)?;
    file.lock()?;
    let mut text = String::new();
    let _ = (&file).take(4_096).read_to_string(&mut text)?;
    if let Ok(secret) = Secret::new(&text) {
        return Ok(secret);
    }
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let text = format!("{:032x}", u128::from_ne_bytes(bytes));
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    Secret::new(&text).map_err(io::Error::other)
}

/// How the web server stands.
#[derive(Debug, Serialize)]
struct WebState {
    address: SocketAddr,
}

/// The pages as a child of the engine's supervisor, on a thread of its own: no reader takes time from jobs.
pub(super) fn web_spec(
    place: Arc<WebPlace>,
    control: Arc<ControlState>,
    forms: Vec<Form>,
) -> ChildSpec {
    ChildSpec::looped_apart("web_server", move || {
        let asked = Arc::new(Asked(control.clone()));
        let serving = serve(place.clone(), asked, forms.clone());
        let state = WebState {
            address: place.addr(),
        };
        async move {
            report_state(&state);
            let ended = serving.await;
            let why = ended
                .err()
                .map_or_else(String::new, |error| error.to_string());
            EndReason::Died(why)
        }
    })
}

/// The methods of the control socket, for the pages.
#[derive(Debug)]
struct Asked(Arc<ControlState>);

impl Ask for Asked {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, AskError>> {
        async move {
            let answer = self.0.ask(method, &params).await;
            answer.map_err(|error| AskError {
                code: error.code,
                message: error.message,
            })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_secret_is_made_once_is_its_owners_alone_and_is_not_put_through_a_link() {
        let folder = TempDir::new().unwrap();
        let path = secret_path(&folder.path().join("riftsync.sock"));
        let secret = kept_secret(&path).unwrap();
        assert_eq!(secret.expose().len(), 2 * SECRET_BYTES);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(kept_secret(&path).unwrap(), secret);
        std::fs::write(&path, "cut").unwrap();
        let another = kept_secret(&path).unwrap();
        assert_ne!(another, secret);
        std::fs::remove_file(&path).unwrap();
        symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(kept_secret(&path).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }
}
