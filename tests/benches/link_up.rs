//! From the moment at which a link is up again to the `sync` handler. The server is on the other end
//! of a cable, which is what switches its end off and on. Both ends know each other's addresses:
//! otherwise the measure would be how long the system's kernel takes to ask for them again, a second
//! whenever the other end was not ready for its first question.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base::StorageKey;
use base::channel::{Callback, Received, Receiver, unbounded};
use bench_support::{Bench, Latencies, child};
use net::NetConfig;
use net_monitor::NetlinkSource;
use network_traits::{LinkState, NetworkState, Reachability};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use script::ScriptReport;
use sw_registration::SwPolicy;
use sync_traits::{LogEntry, LogEvent};
use url::Url;

use crate::profile::{Page, WORKER, scopes};
use crate::running::{StoppedWorkers, builder, start_with_scripts};

/// What is waited for at most; nothing is expected to take it.
const PATIENCE: Duration = Duration::from_secs(60);

const OWN: &str = "10.20.0.1";
const SERVER: &str = "10.20.0.2";
const PORT: u16 = 8443;

/// From the link to the answer of the probe, and to the first line of the handler. Skipped where the
/// system permits no network namespaces.
pub(crate) fn link_up(bench: &mut Bench) {
    let events = bench.choose(100, 3).to_string();
    for worker in ["running", "stopped"] {
        let folder = bench.scratch();
        let profile = folder.path().join("profile");
        let arguments = ["link up", profile.to_str().unwrap(), &events, worker];
        let Some(figures) = child::run_in_namespace(&arguments) else {
            log_skipped();
            return;
        };
        let mut figures = figures.into_iter();
        for row in ["link to probe", "link to handler"] {
            for metric in ["p50", "p99"] {
                let row = format!("{row}, {worker}");
                bench.value(&row, "engine", 1, (metric, "ns"), figures.next().unwrap());
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark tells what it measures")]
fn log_skipped() {
    println!("SKIPPED link up: no unprivileged user and network namespaces");
}

/// The machine on the other end of the cable: a process in a network namespace of its own.
struct FarSite {
    process: Child,
    certificate: Vec<u8>,
}

impl FarSite {
    fn start(certificate_file: &str) -> Self {
        let mut process = child::elsewhere(&["far site", certificate_file])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut wait = || lines.read_line(&mut String::new()).unwrap();
        wait();
        ip(
            "link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02",
        );
        ip(&format!("link set far netns {}", process.id()));
        process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        wait();
        Self {
            process,
            certificate: fs::read(certificate_file).unwrap(),
        }
    }
}

impl Drop for FarSite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Plays the far machine until it is killed.
#[expect(clippy::print_stdout, reason = "the other process reads it")]
pub(crate) fn site_in_child(certificate_file: &str) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![SERVER.to_owned()]).unwrap();
    fs::write(certificate_file, cert.der()).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    println!("moved in");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    ip(&format!("address add {SERVER}/24 dev far"));
    ip("link set far up");
    let listener = TcpListener::bind((SERVER, PORT)).unwrap();
    println!("listening");
    for client in listener.incoming() {
        let config = Arc::clone(&config);
        thread::spawn(move || serve(client.unwrap(), config));
    }
}

/// The service worker's script, whatever is asked for.
fn serve(client: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut client = StreamOwned::new(connection, client);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{WORKER}",
        WORKER.len()
    )?;
    client.conn.send_close_notify();
    client.flush()
}

/// The `ip` of iproute2 on the far machine, ready to act at once when it gets a line.
struct Ready {
    process: Child,
    input: ChildStdin,
}

impl Ready {
    fn on(site: &FarSite) -> Self {
        let mut process = Command::new("nsenter")
            .args(["--net", "--target", &site.process.id().to_string()])
            .args(["--", "ip", "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        Self { process, input }
    }

    fn act(mut self, lines: &str) -> Child {
        self.input.write_all(lines.as_bytes()).unwrap();
        self.process
    }
}

pub(crate) fn in_child(profile: &str, events: u64, worker: &str) {
    let stops = worker == "stopped";
    let certificate = format!("{profile}-certificate");
    let site = FarSite::start(&certificate);
    ip("link set lo up");
    ip(&format!("address add {OWN}/24 dev near"));
    let policy = SwPolicy {
        idle_limit: if stops {
            Duration::ZERO
        } else {
            Duration::from_secs(3600)
        },
        ..SwPolicy::default()
    };
    let (held, log) = unbounded();
    let builder = builder(profile.as_ref())
        .service_worker_policy(policy)
        .network_source(Box::new(NetlinkSource))
        .net_config(NetConfig {
            extra_root_certificates: vec![site.certificate.clone()],
            ..NetConfig::default()
        })
        .observe_log(Callback::to_sender(&held, |entry: LogEntry| entry.event));
    let (lines, handled) = unbounded();
    let report = Callback::new(move |report| {
        if let ScriptReport::Console { .. } = report {
            lines.send(Instant::now()).unwrap();
        }
    });
    let (stopped, ends) = unbounded();
    let (engine, services) = start_with_scripts(builder, report, |threads| {
        Box::new(StoppedWorkers::new(threads, stopped))
    });
    let (sender, states) = unbounded();
    services
        .network
        .subscribe(Callback::to_sender(&sender, |state| {
            (state, Instant::now())
        }))
        .unwrap();

    ip("link set near up");
    ip(&format!(
        "neigh replace {SERVER} lladdr 02:00:00:00:00:02 dev near nud permanent"
    ));
    ip(&format!("route add default via {SERVER} dev near"));
    wait_for(&states, |(state, _): &(NetworkState, Instant)| {
        state.link == LinkState::Routable
    });
    let url = Url::parse(&format!("https://{SERVER}:{PORT}/")).unwrap();
    let origin = StorageKey::from_url(&url).unwrap();
    let page = Page::open(&engine, &url);
    let scopes = scopes(&url, 1);
    page.register_workers(&scopes);
    if stops {
        wait_for(&ends, |()| true);
    }
    let (mut probes, mut handlers) = (Latencies::default(), Latencies::default());
    let neighbour = format!("neigh replace {OWN} lladdr 02:00:00:00:00:01 dev far nud permanent");
    let plug_in = format!("link set far up\n{neighbour}\n");
    for number in 0..events {
        let unplugged = Ready::on(&site).act("link set far down\n").wait();
        assert!(unplugged.unwrap().success());
        wait_for(&states, |(state, _)| state.link == LinkState::None);
        page.register_sync(&scopes[0], &format!("outbox-{number}"));
        wait_for(&log, |event| matches!(event, LogEvent::Held { .. }));
        let ready = Ready::on(&site);
        let start = Instant::now();
        let mut acting = ready.act(&plug_in);
        let line = wait_for(&handled, |_| true);
        let reached = std::iter::from_fn(|| states.try_recv())
            .find(|(state, _)| state.reachability(&origin) == Reachability::Reachable);
        // When the link is up before the monitor knows that somebody waits for the server, the
        // event is dispatched without a probe, and there is nothing to measure.
        if let Some((_, reached)) = reached {
            probes.record(reached.saturating_duration_since(start));
            handlers.record(line.saturating_duration_since(start));
        }
        acting.wait().unwrap();
        wait_for(&log, |event| matches!(event, LogEvent::Completed));
        if stops {
            wait_for(&ends, |()| true);
        }
    }
    drop(page);
    engine.shut_down();
    let of = |latencies: &Latencies| [latencies.quantile(0.5), latencies.quantile(0.99)];
    child::answer(&[of(&probes), of(&handlers)].concat());
}

fn wait_for<T>(receiver: &Receiver<T>, is_it: impl Fn(&T) -> bool) -> T {
    loop {
        match receiver.recv_timeout(Some(PATIENCE)) {
            Received::Message(message) if is_it(&message) => return message,
            Received::Message(_) => {}
            _ => panic!("what is waited for does not come"),
        }
    }
}

/// Runs `ip` of iproute2 with the words of `arguments`.
fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.unwrap().success(), "ip {arguments}");
}
