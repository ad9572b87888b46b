//! An exporter as a process: what its supervisor tells it and hears from it, and what it says to anybody at all.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use xtask::Folder;

/// How long anything may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The example `demo`, which cargo builds beside the tests.
fn demo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples/demo")
}

/// A running demo; killed when dropped, in case a test fails.
struct Running {
    child: Child,
    said: Vec<JoinHandle<String>>,
}

impl Running {
    /// Takes the command along: as long as it lives, it keeps a socket for the child open as well.
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = [read_all(child.stdout.take().unwrap()), read_all(child.stderr.take().unwrap())];
        Self { child, said: said.into() }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as an operator does; all that it said, on both streams.
    fn stop(mut self) -> String {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.said.drain(..).map(|said| said.join().unwrap()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = from.read_to_string(&mut text);
        text
    })
}

/// Runs the demo with a socket as its descriptor 3, as systemd does.
fn with_socket(socket: OwnedFd, sockets: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!(
        "exec 3<&0 0</dev/null; export LISTEN_FDS={sockets} LISTEN_PID=$$; exec \"$0\" --web.systemd-socket"
    );
    command.arg("-c").arg(script).arg(demo()).stdin(Stdio::from(socket));
    command
}

fn ask(mut stream: impl Read + Write, headers: &str) -> String {
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn sockets_of_systemd_are_served_whatever_their_kind() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let running = Running::start(with_socket(tcp.into(), 1));
    // The socket listens already: who connects waits until it is served.
    assert!(ask(TcpStream::connect(address).unwrap(), "").starts_with("HTTP/1.1 200 OK\r\n"));
    running.stop();

    let folder = Folder::new("process");
    let path = folder.path().join("socket");
    let running = Running::start(with_socket(UnixListener::bind(&path).unwrap().into(), 1));
    assert!(ask(UnixStream::connect(&path).unwrap(), "").contains("folder_exporter_build_info"));
    running.stop();
}

#[test]
fn without_sockets_of_systemd_the_start_says_what_to_do() {
    let output = Command::new(demo()).arg("--web.systemd-socket").env_remove("LISTEN_FDS").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("socket unit") && said.contains("--web.systemd-socket"), "{said}");
}

#[test]
fn systemd_hears_of_the_start_the_watchdog_and_the_stop() {
    let folder = Folder::new("process");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || {
        let mut message = [0; 1024];
        let length = socket.recv(&mut message).expect("systemd is told");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut command = Command::new(demo());
    command
        .arg("--web.listen-address=127.0.0.1:0")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000");
    let running = Running::start(command);
    let first = next();
    assert!(first.contains("READY=1") && first.contains("STATUS=folder_exporter"), "{first}");
    for _ in 0..3 {
        assert_eq!(next().trim(), "WATCHDOG=1");
    }
    running.stop();
    let last = std::iter::repeat_with(next).find(|message| message.trim() != "WATCHDOG=1");
    assert_eq!(last.unwrap().trim(), "STOPPING=1");
}

/// A port of virtual machines that nobody else of this machine should have.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn virtual_machines_are_answered() {
    use openmetrics_exporter_toolkit::{Exporter, Web};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_vsock::{VMADDR_CID_LOCAL, VsockAddr, VsockStream};

    let port = 40_000 + std::process::id() % 20_000;
    let running = match Exporter::new("demo_exporter", "1.2.3").start(&Web::at(format!("vsock://:{port}"))) {
        Ok(running) => running,
        Err(error) => {
            return xtask::peers::say_skipped(&format!("no sockets of virtual machines here: {error}"));
        }
    };
    let mut stream = match VsockStream::connect(VsockAddr::new(VMADDR_CID_LOCAL, port)).await {
        Ok(stream) => stream,
        Err(error) => {
            return xtask::peers::say_skipped(&format!("this machine is no guest of its own: {error}"));
        }
    };
    let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    let mut answer = String::new();
    AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    running.stop().await;
}

#[test]
fn secrets_are_in_no_log_no_page_and_no_error() {
    // What a person typed, what the file has, and what browsers send.
    const PASSWORD: &str = "plenty-secret-password";
    const WRONG: &str = "another-secret-guess";
    const KEY: &str = "SECRETKEYSECRETKEY";
    let folder = Folder::new("process");
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let good = format!("basic_auth_users:\n  alice: {hash}\n");
    let config = folder.write("web.yml", &good);

    // The port is ours from before the start, so nothing has to be read from the demo's output meanwhile.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\""])
        .arg(demo())
        .args(["--web.systemd-socket", "--log.level=debug", "--log.format=json"])
        .arg(format!("--web.config.file={}", config.display()))
        .stdin(Stdio::from(OwnedFd::from(listener)));
    let running = Running::start(command);
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let authorization =
        |password: &str| format!("Authorization: Basic {}\r\n", encode(&format!("alice:{password}")));
    let get = |headers: &str| {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(stream, headers)
    };
    let mut seen = vec![get(""), get(&authorization(WRONG)), get("Authorization: Basic nonsense\r\n")];
    let page = get(&authorization(PASSWORD));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    seen.push(page);

    // Configurations that are bad in ways that have secrets at hand; the old one stays.
    for bad in [
        format!("basic_auth_users:\n  alice: {PASSWORD}\n"),
        format!("basic_auth_users: {PASSWORD}\n"),
        format!("basic_auth_users:\n  alice: [{hash}]\n"),
        format!("tls_server_config:\n  cert: x\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    {KEY}\n"),
        format!("tls_server_config:\n  key: [{KEY}]\n"),
        format!("rate_limit:\n  interval: {PASSWORD}\n"),
    ] {
        folder.write("web.yml", &bad);
        running.signal(rustix::process::Signal::HUP);
        let start = Instant::now();
        loop {
            let page = get(&authorization(PASSWORD));
            assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "the old one stays: {page}");
            if page.contains("folder_exporter_web_config_last_reload_successful 0\n") {
                seen.push(page);
                break;
            }
            assert!(start.elapsed() < PATIENCE, "the reload was not told: {bad}");
        }
        let checked = Command::new(demo())
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(format!("--web.config.file={}", config.display()))
            .output()
            .unwrap();
        assert_eq!(checked.status.code(), Some(1), "a bad configuration is no start");
        let error = String::from_utf8(checked.stderr).unwrap();
        assert!(error.contains(&format!("{}:", config.display())), "it names the file: {error}");
        seen.push(error);
        folder.write("web.yml", &good);
        running.signal(rustix::process::Signal::HUP);
        let start = Instant::now();
        while !get(&authorization(PASSWORD)).contains("_last_reload_successful 1\n") {
            assert!(start.elapsed() < PATIENCE, "the good configuration is not in force again");
        }
    }
    seen.push(running.stop());
    let planted = [
        PASSWORD,
        WRONG,
        KEY,
        hash.as_str(),
        &encode(&format!("alice:{PASSWORD}")),
        &encode(&format!("alice:{WRONG}")),
    ];
    for text in &seen {
        for secret in planted {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    assert!(seen.last().unwrap().contains("the old one stays"), "the log was read: {seen:?}");
}
