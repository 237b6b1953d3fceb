//! The process itself: addresses, probes, signals. In real time, over real sockets.

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A running aggregator on ports of its own; killed with the test.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    grpc: String,
    http: String,
}

fn start(listen: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nodegrace-aggregator"))
        .args(["--listen", listen, "--http", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stderr = child.stderr.take().expect("standard error is piped");
    (child, BufReader::new(stderr).lines())
}

impl Process {
    fn start() -> Self {
        let (child, mut log) = start("127.0.0.1:0");
        let mut address = |of: &str| {
            let line = log.find_map(|line| line.ok().filter(|line| line.contains(of)));
            let line = line.expect("every bound address is logged");
            let (_, address) = line.rsplit_once("address=").expect("an address");
            address.to_owned()
        };
        let (grpc, http) = (address("serving gRPC"), address("serving HTTP"));
        Self {
            child,
            log,
            grpc,
            http,
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(kill.expect("kill runs").success());
    }

    /// Waits for the end, which must come within 5 s.
    fn end(&mut self) -> ExitStatus {
        #[allow(clippy::disallowed_methods, reason = "a real process takes real time")]
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("still running after 5 s");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_where_it_listens_and_that_it_forgets() {
    let mut process = Process::start();
    assert_eq!(process.get("/livez"), "HTTP/1.1 200 OK");
    assert_eq!(process.get("/readyz"), "HTTP/1.1 200 OK");
    assert_eq!(process.get("/nothing"), "HTTP/1.1 404 Not Found");
    let line = process.log.next().expect("a line").expect("text");
    assert!(line.contains("in memory only"), "{line}");
}

#[test]
fn the_first_signal_drains() {
    let mut process = Process::start();
    // A connection that says nothing must not hold it.
    let _silent = TcpStream::connect(&process.grpc).expect("a connection");
    process.signal("TERM");
    assert!(process.end().success());
}

#[test]
fn the_second_signal_aborts() {
    let mut process = Process::start();
    let _silent = TcpStream::connect(&process.grpc).expect("a connection");
    process.signal("INT");
    let draining = process
        .log
        .any(|line| line.is_ok_and(|line| line.contains("draining")));
    assert!(draining, "the first signal is heard");
    process.signal("INT");
    let code = process.end().code();
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
}

#[test]
fn a_taken_port_is_said_in_one_line() {
    let process = Process::start();
    let (mut second, log) = start(&process.grpc);
    let lines: Vec<String> = log.map_while(Result::ok).collect();
    assert_eq!(second.wait().expect("it ends").code(), Some(1));
    assert_eq!(lines.len(), 1, "{lines:?}");
    let wanted = format!("error: cannot listen on {} (--listen): ", process.grpc);
    assert!(lines[0].starts_with(&wanted), "{lines:?}");
}
