//! Ways to a PostgreSQL server: its socket, a certificate to which a password is bound; and which of its databases can
//! be used. The servers and the sockets are real.

use std::net::TcpListener as StdListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use futures_util::future::join;
use riftsync::riot::install_tls;
use riftsync::store::postgres::{PostgresStore, Settings};
use riftsync::store::{Database, JobStore, StoreError, Wanted};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::scratch::Scratch;
use crate::setup::{PLAYER, Setup, bare, run, setup, text};
use crate::store::{NOW, new_job};

const PASSWORD: &str = "a long password";

fn number(scratch: &Scratch, query: &str) -> String {
    scratch.rows(query)[0][0].clone().unwrap()
}

/// The folder of the socket of the tests' server, and the URL's user and database, if the server is on this machine.
fn socket_of(scratch: &Scratch) -> Option<(PathBuf, String)> {
    let folders = number(scratch, "SHOW unix_socket_directories");
    let port = number(scratch, "SHOW port");
    let folder = PathBuf::from(folders.split(',').next().unwrap().trim());
    if folder.join(format!(".s.PGSQL.{port}")).exists() {
        return Some((folder, port));
    }
    eprintln!(
        "SKIPPED a test of sockets: the server of TEST_DATABASE_URL has none on this machine"
    );
    None
}

/// The same database through its socket, in every way in which a URL can say so.
fn through_socket(scratch: &Scratch, folder: &Path, port: &str) -> Vec<String> {
    let user = number(scratch, "SELECT current_user");
    let database = number(scratch, "SELECT current_database()");
    let plain = folder.display().to_string();
    let encoded = plain.replace('/', "%2F");
    let mut urls = vec![
        format!("postgres:///{database}?host={plain}&user={user}&port={port}"),
        format!("postgresql:///{database}?host={encoded}&user={user}&port={port}"),
        format!("postgres://{user}@{encoded}:{port}/{database}"),
        format!("postgres://{user}@{encoded}/{database}?port={port}"),
    ];
    for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
        let all = format!("postgres://{user}@{encoded}:{port}/{database}?sslmode={mode}");
        urls.push(all);
    }
    // The second is reached where the first is not.
    urls.push(format!(
        "postgres://{user}@{encoded}nowhere,{encoded}:{port},{port}/{database}"
    ));
    urls
}

#[tokio::test]
async fn a_database_is_used_through_the_socket_of_its_server_whatever_sslmode_says() {
    let scratch = Scratch::new();
    let Some((folder, port)) = socket_of(&scratch) else {
        return;
    };
    for url in through_socket(&scratch, &folder, &port) {
        let settings = Settings::new(url.parse().unwrap());
        let store = PostgresStore::open(settings).await;
        let store = store.unwrap_or_else(|error| panic!("{url}: {error}"));
        store.enqueue(vec![new_job("k", None)], NOW).await.unwrap();
        store.close().await.unwrap();
    }
    let path = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND client_addr IS NULL AND application_name = 'riftsync'";
    let urls = through_socket(&scratch, &folder, &port);
    let settings = || Settings::new(urls[0].parse().unwrap());
    let (one, other) = join(
        PostgresStore::open(settings()),
        PostgresStore::open(settings()),
    )
    .await;
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(number(&scratch, path), "0", "no TCP is spoken");
    // Two engines share the work.
    let all = urls.len();
    let mut claimed = Vec::new();
    while claimed.len() < all {
        let (a, b) = join(
            one.claim(Wanted::of("q", 2), "a", NOW),
            other.claim(Wanted::of("q", 2), "b", NOW),
        )
        .await;
        claimed.extend(a.unwrap().into_iter().chain(b.unwrap()));
    }
    let mut ids: Vec<i64> = claimed.iter().map(|job| job.lease.job.0).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

fn riftsync(setup: &Setup, args: &[&str], database: &str) -> Command {
    let mut command = bare(args);
    command
        .env("HOME", setup.folder.path())
        .env("RIOT_API_KEY", riftsync::simulator::SIMULATED_KEY)
        .env("RIFTSYNC_PROFILE", "production")
        .env("RIFTSYNC_RIOT__BASE_URL", setup.simulator.base_url())
        .args(["--database", database]);
    command
}

#[tokio::test]
async fn a_sync_goes_through_a_socket_and_one_that_nobody_listens_at_is_named() {
    let (setup, scratch) = (setup(12).await, Scratch::new());
    let Some((folder, port)) = socket_of(&scratch) else {
        return;
    };
    let url = &through_socket(&scratch, &folder, &port)[0];
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--json",
    ];
    let output = run(riftsync(&setup, &sync, url)).await;
    assert!(output.status.success(), "{}", text(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["state"], "completed");
    let info = run(riftsync(&setup, &["db", "info", "--json"], url)).await;
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_ne!(info["holds"]["matches"], 0, "{info}");

    let nowhere = setup.folder.path().display().to_string();
    let url = format!("postgres:///db?host={nowhere}&port=7&sslmode=verify-full");
    let output = run(riftsync(&setup, &["db", "info"], &url)).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let socket = format!("{nowhere}/.s.PGSQL.7");
    assert!(text(&output).contains(&socket), "{}", text(&output));
}

// ------------------------------------------------------------------------------------------------ encodings

/// The exit code and what was told.
fn told(output: &Output) -> (Option<i32>, String) {
    let all = text(output) + &String::from_utf8_lossy(&output.stdout);
    (output.status.code(), all)
}

/// Tables and other relations that are no part of PostgreSQL.
fn relations(scratch: &Scratch) -> String {
    number(
        scratch,
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    )
}

/// The command that a message names between backquotes.
fn command_in<'t>(text: &'t str, program: &str) -> &'t str {
    let from = text.find(&format!("`{program} ")).unwrap() + 1;
    let length = text[from..].find('`').unwrap();
    &text[from..from + length]
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_name_is_refused_untouched_and_the_remedy_works() {
    let setup = setup(12).await;
    for encoding in ["LATIN1", "WIN1252", "SQL_ASCII", "EUC_KR", "LATIN9"] {
        let scratch = Scratch::encoded(encoding);
        for args in [
            &["db", "migrate"][..],
            &["db", "info"],
            &["sync", PLAYER, "--platform", "euw1", "--year", "2025"],
            &["serve"],
        ] {
            let output = run(riftsync(&setup, args, scratch.url())).await;
            let (code, told) = told(&output);
            assert_eq!(code, Some(3), "{encoding} {args:?}: {told}");
            for word in [encoding, "UTF8", "createdb"] {
                assert!(told.contains(word), "{args:?}: {told}");
            }
        }
        assert_eq!(relations(&scratch), "0", "{encoding}");
        let calls = setup.simulator.counters().calls;
        assert_eq!(calls, 0, "no call is made for it");
    }
    // As somebody types it who reads the message, with the server's own programs.
    let scratch = Scratch::encoded("LATIN1");
    let output = run(riftsync(&setup, &["db", "migrate"], scratch.url())).await;
    let (_, told) = told(&output);
    let command = command_in(&told, "createdb");
    let Some(programs) = programs(&scratch) else {
        return;
    };
    let typed = Command::new("sh")
        .args(["-c", command])
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .output()
        .unwrap();
    assert!(typed.status.success(), "{command}: {}", text(&typed));
    let other = scratch.beside("_utf8");
    let output = run(riftsync(&setup, &["db", "migrate"], other.url())).await;
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn no_copy_goes_into_a_database_that_cannot_hold_every_name_but_one_out_of_it() {
    let setup = setup(12).await;
    let output = run(setup.sync()).await;
    assert!(output.status.success(), "{}", text(&output));
    let file = format!("sqlite://{}", setup.database());
    let copy = |from: &str, to: &str| {
        let mut command = bare(&["db", "copy", "--from", from, "--to", to]);
        command.env("HOME", setup.folder.path());
        command
    };
    let latin = Scratch::encoded("LATIN1");
    let output = run(copy(&file, latin.url())).await;
    let (code, refused) = told(&output);
    assert_eq!(code, Some(3), "{refused}");
    assert!(
        refused.contains("LATIN1") && refused.contains("createdb"),
        "{refused}"
    );
    assert_eq!(relations(&latin), "0");

    // What an older version stored in such a one is not lost.
    let good = Scratch::new();
    let output = run(copy(&file, good.url())).await;
    assert!(output.status.success(), "{}", text(&output));
    good.run("UPDATE pg_database SET encoding = pg_char_to_encoding('SQL_ASCII') WHERE datname = current_database()");
    let output = run(riftsync(&setup, &["db", "migrate"], good.url())).await;
    let (code, refused) = told(&output);
    assert_eq!(code, Some(3), "{refused}");
    assert!(refused.contains("SQL_ASCII"), "{refused}");
    let stats = run(riftsync(&setup, &["stats", PLAYER], good.url())).await;
    assert!(stats.status.success(), "{}", text(&stats));
    let target = Scratch::new();
    let output = run(copy(good.url(), target.url())).await;
    assert!(output.status.success(), "{}", text(&output));
    let matches = "SELECT count(*) FROM matches";
    assert_eq!(number(&target, matches), number(&good, matches));
}

/// The folder of the server's programs, if they are on this machine.
fn programs(scratch: &Scratch) -> Option<PathBuf> {
    let folder = number(
        scratch,
        "SELECT setting FROM pg_config WHERE name = 'BINDIR'",
    );
    let folder = PathBuf::from(folder);
    if folder.join("initdb").exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED a test that needs the programs of the server: they are not on this machine");
    None
}

// ------------------------------------------------------------------------------------------------ certificates

/// A server of a test's own that speaks TLS and asks for passwords.
struct OwnServer {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.control(&["-m", "immediate", "-w", "stop"]);
    }
}

impl OwnServer {
    fn new(programs: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        let server = Self {
            folder,
            programs,
            port: free_port(),
        };
        Self::give_away(server.folder.path());
        let data = server.data();
        let mut init = server.command("initdb");
        init.arg("-D").arg(&data);
        init.args(["-U", "riftsync", "--auth=trust", "-E", "UTF8", "--locale=C"]);
        let made = init.output().unwrap();
        assert!(made.status.success(), "{}", text(&made));
        let rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// PostgreSQL does not run as root.
    fn user() -> Option<u32> {
        let mine = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
        (mine == 0).then(|| {
            let id = Command::new("id").args(["-u", "nobody"]).output().unwrap();
            String::from_utf8(id.stdout)
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        })
    }

    fn give_away(path: &Path) {
        if let Some(user) = Self::user() {
            std::os::unix::fs::chown(path, Some(user), None).unwrap();
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        if let Some(user) = Self::user() {
            command.uid(user);
        }
        command
    }

    fn control(&self, args: &[&str]) -> bool {
        let mut control = self.command("pg_ctl");
        control.arg("-D").arg(self.data()).args(args);
        // What a server inherits it holds open; nobody reads it.
        let null = std::process::Stdio::null;
        control.stdin(null()).stdout(null()).stderr(null());
        control.status().unwrap().success()
    }

    /// Starts it with a certificate. Ports are taken by others now and then.
    async fn start(&mut self, certificate: &Certificate) {
        for (from, name) in [
            (&certificate.certificate, "server.crt"),
            (&certificate.key, "server.key"),
        ] {
            let to = self.data().join(name);
            std::fs::copy(from, &to).unwrap();
            let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&to, owner_only).unwrap();
            Self::give_away(&to);
        }
        for _ in 0..5 {
            let folder = self.folder.path().display();
            let options = format!(
                "-p {} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c ssl=on",
                self.port
            );
            let log = self.folder.path().join("server.log");
            let log = log.display().to_string();
            if self.control(&["-l", &log, "-w", "-o", &options, "start"]) {
                let set = format!("ALTER ROLE riftsync PASSWORD '{PASSWORD}'");
                let socket = format!(
                    "host={folder} port={} user=riftsync dbname=postgres",
                    self.port
                );
                let (client, connection) = tokio_postgres::connect(&socket, tokio_postgres::NoTls)
                    .await
                    .unwrap();
                tokio::spawn(connection);
                client.batch_execute(&set).await.unwrap();
                return;
            }
            self.port = free_port();
        }
        let log = std::fs::read_to_string(self.folder.path().join("server.log"));
        panic!("the server does not start: {log:?}");
    }

    fn stop(&self) {
        assert!(self.control(&["-m", "fast", "-w", "stop"]));
    }
}

fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
}

/// A new one, signed by itself. `how`: arguments of openssl.
fn certificate(folder: &Path, name: &str, how: &[&str]) -> Certificate {
    let made = Certificate {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .arg("-out")
        .arg(&made.certificate)
        .arg("-keyout")
        .arg(&made.key)
        .args(how)
        .output()
        .expect("openssl makes the certificates of this test: install it");
    assert!(output.status.success(), "{name}: {}", text(&output));
    made
}

async fn connects(port: u16, parameters: &str) -> Result<(), StoreError> {
    let password = PASSWORD.replace(' ', "%20");
    let url = format!("postgres://riftsync:{password}@127.0.0.1:{port}/postgres?{parameters}");
    let store = PostgresStore::open(Settings::new(url.parse()?)).await?;
    store.close().await
}

#[tokio::test]
async fn a_password_is_bound_to_certificates_of_every_kind() {
    let Some(programs) = programs(&Scratch::new()) else {
        return;
    };
    let mut server = OwnServer::new(programs);
    let folder = TempDir::new().unwrap();
    for (name, how) in [
        ("rsa-sha256", &["-newkey", "rsa:2048", "-sha256"][..]),
        ("rsa-sha512", &["-newkey", "rsa:2048", "-sha512"]),
        ("rsa-sha1", &["-newkey", "rsa:2048", "-sha1"]),
        (
            "p256-sha256",
            &[
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-sha256",
            ],
        ),
        (
            "p384-sha384",
            &[
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-384",
                "-sha384",
            ],
        ),
    ] {
        server.start(&certificate(folder.path(), name, how)).await;
        for binding in ["require", "prefer", "disable"] {
            let parameters = format!("sslmode=require&channel_binding={binding}");
            let connected = connects(server.port, &parameters).await;
            assert!(connected.is_ok(), "{name}, {binding}: {connected:?}");
        }
        let plain = connects(server.port, "sslmode=disable&channel_binding=require").await;
        assert!(plain.is_err(), "there is nothing to bind to");
        server.stop();
    }
    // A signature without a hash function: there is no binding, and one who insists on it is told why.
    let ed25519 = certificate(folder.path(), "ed25519", &["-newkey", "ed25519"]);
    server.start(&ed25519).await;
    connects(server.port, "sslmode=require").await.unwrap();
    let refused = connects(server.port, "sslmode=require&channel_binding=require").await;
    let told = refused.unwrap_err().to_string();
    assert!(
        told.contains("Ed25519") && told.contains("channel_binding=prefer"),
        "{told}"
    );
}

#[tokio::test]
async fn who_stands_between_with_a_certificate_of_his_own_is_found_out() {
    let Some(programs) = programs(&Scratch::new()) else {
        return;
    };
    install_tls();
    let mut server = OwnServer::new(programs);
    let folder = TempDir::new().unwrap();
    let own = certificate(folder.path(), "own", &["-newkey", "rsa:2048", "-sha256"]);
    server.start(&own).await;
    for (name, how) in [
        ("rsa", &["-newkey", "rsa:2048", "-sha256"][..]),
        (
            "p384",
            &[
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-384",
                "-sha384",
            ],
        ),
        ("ed25519", &["-newkey", "ed25519"]),
    ] {
        let his = certificate(folder.path(), name, how);
        let between = stand_between(&his, server.port).await;
        // Without it he goes unnoticed: certificates are not verified.
        let unbound = connects(between, "sslmode=require&channel_binding=disable").await;
        assert!(unbound.is_ok(), "{name}: {unbound:?}");
        let required = connects(between, "sslmode=require&channel_binding=require").await;
        assert!(required.is_err(), "{name}");
        let preferred = connects(between, "sslmode=require&channel_binding=prefer").await;
        // To a certificate without a hash function nothing is bound.
        assert_eq!(preferred.is_err(), name != "ed25519", "{name}");
        let told = format!("{:?}", (required, preferred));
        assert!(!told.contains(PASSWORD), "{told}");
    }
}

/// What the first message of a connection asks for: TLS.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Takes TLS connections with a certificate of its own and carries what is said to the server and back. Its port.
async fn stand_between(his: &Certificate, server: u16) -> u16 {
    let chain = CertificateDer::pem_file_iter(&his.certificate).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&his.key).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { carry(acceptor, stream, server).await });
        }
    });
    port
}

async fn carry(acceptor: TlsAcceptor, mut client: TcpStream, server: u16) -> std::io::Result<()> {
    let mut asked = [0; 8];
    client.read_exact(&mut asked).await?;
    assert_eq!(asked, TLS_REQUEST);
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    server.write_all(&TLS_REQUEST).await?;
    let mut answer = [0];
    server.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"S");
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(
            rustls::crypto::ring::default_provider(),
        )))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut server = connector.connect(name, server).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Takes every certificate.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
