//! A real server behind a cable: the link, the address, the route and the server go away one at a
//! time, somebody answers in its place, or nobody does.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use syncshell::ShellEvent;
use tempfile::{TempDir, tempdir};
use tests::{Reaction, Shell, ShellOptions, Site};

use crate::namespace::{in_new_namespace, inside, ip, ip_of};
use crate::tls::TlsServer;

/// The machine with the shell.
const OWN: &str = "10.20.0.1";
/// The way out of its network.
const GATEWAY: &str = "10.20.0.2";
/// Another machine on its network.
const SERVER: &str = "10.20.0.3";

/// A shell on one end of a cable, in a network namespace of its own. On the other end, which is the
/// test's, there are a gateway and a site.
struct Cable {
    shell: Shell,
    site: Site,
    server: TlsServer,
    _folder: TempDir,
}

impl Cable {
    /// Plugs it in, and opens the site.
    fn new(options: impl FnOnce(ShellOptions) -> ShellOptions) -> Self {
        let folder = tempdir().unwrap();
        let certificate = folder.path().join("certificate.pem");
        ip("link add near type veth peer name far");
        for address in [GATEWAY, SERVER] {
            ip(&format!("address add {address}/24 dev far"));
        }
        ip("link set far up");
        let site = Site::serve("kill");
        let server = TlsServer::start(&site, SERVER, &certificate);
        let profile = ShellOptions::profile(&folder.path().join("profile"));
        let trusting = profile
            .argument("--trust-certificate")
            .argument(&certificate.display().to_string());
        let program = env!("CARGO_BIN_EXE_shell-under-test");
        let mut shell = Shell::start_elsewhere(program, &options(trusting));
        shell.wait_for("the engine", |event| {
            matches!(event, ShellEvent::EngineStarted { .. })
        });
        ip(&format!("link set near netns {}", shell.id()));
        let mut cable = Self {
            shell,
            site,
            server,
            _folder: folder,
        };
        cable.near("link set lo up");
        cable.near(&format!("address add {OWN}/24 dev near"));
        cable.plug_in();
        cable.wait_for_network(true);
        cable.shell.say(&format!("open {}", cable.server.url()));
        cable.shell.wait_for_console("ready");
        cable
    }

    /// Changes the shell's end.
    fn near(&self, arguments: &str) {
        ip_of(self.shell.id(), arguments);
    }

    fn plug_in(&self) {
        self.near("link set near up");
        // A link that goes down takes its routes with it.
        self.near(&format!("route add default via {GATEWAY}"));
    }

    /// Switches the link on, with a way out that leads nowhere.
    fn plug_into_nothing(&self) {
        self.near("link set near up");
        // Nobody has this address, so what is sent to it is never answered.
        let nobody = format!("neigh replace {SERVER} lladdr 02:00:00:00:00:99 dev near");
        self.near(&format!("{nobody} nud permanent"));
        self.near(&format!("route add default via {GATEWAY}"));
    }

    fn unplug(&mut self) {
        self.near("link set near down");
        self.wait_for_network(false);
    }

    fn wait_for_network(&mut self, expected: bool) {
        self.shell.wait_for(
            "the network",
            |event| matches!(event, ShellEvent::Network { online, .. } if *online == expected),
        );
    }

    fn register(&mut self, tag: &str) {
        self.shell.say(&format!("eval registerTag('{tag}')"));
        self.shell.wait_for_console(&format!("registered {tag}"));
    }

    /// What holds a tag back, once it is one of these.
    fn held_by(&mut self, tag: &str, expected: &[&str]) -> String {
        loop {
            let (answers, _) = self.shell.why(tag);
            let held_by = answers.first().and_then(|answer| answer.held_by.first());
            if let Some(hold) = held_by
                && expected.contains(&hold.reason.as_str())
            {
                return hold.reason.clone();
            }
            // The next thing that happens to it may be it.
            self.shell.wait_for(
                tag,
                |event| matches!(event, ShellEvent::Sync { tag: of, .. } if of == tag),
            );
        }
    }

    /// How many connections the shell has begun, and how many datagrams it has sent.
    fn sent(&self) -> [u64; 2] {
        let counters = fs::read_to_string(format!("/proc/{}/net/snmp", self.shell.id())).unwrap();
        // Each protocol has a line of names and a line of numbers.
        let count = |protocol: &str, name: &str| {
            let mut lines = counters.lines().filter(|line| line.starts_with(protocol));
            let (names, numbers) = (lines.next().unwrap(), lines.next().unwrap());
            let mut pairs = names.split(' ').zip(numbers.split(' '));
            let (_, number) = pairs.find(|(own, _)| *own == name).unwrap();
            number.parse().unwrap()
        };
        [count("Tcp:", "ActiveOpens"), count("Udp:", "OutDatagrams")]
    }

    /// It fires by itself, and gets through.
    fn expect_delivery(&mut self, tag: &str) {
        self.shell.wait_for_sync(tag, "completed");
        assert_eq!(self.site.wait_for_request().body, tag);
    }

    fn quit(mut self) {
        // While it has its address: the cable, which carries it, goes away with the shell.
        self.server.stop();
        let (status, events) = self.shell.quit();
        assert!(status.success(), "{events:#?}");
        assert_eq!(self.site.requests(), []);
    }
}

#[test]
fn what_is_missing_holds_a_sync_and_its_return_fires_it() {
    in_new_namespace(
        "network::what_is_missing_holds_a_sync_and_its_return_fires_it",
        || {
            let mut cable = Cable::new(|options| options);

            let hear = "const hear = (type) => new Promise((done) => { self['on' + type] = done; }); \
                        self.offline = hear('offline'); self.online = hear('online'); 0";
            assert_eq!(cable.shell.evaluate(hear), "0");

            cable.unplug();
            let heard = |type_| format!("{type_}.then((event) => event.type + navigator.onLine)");
            assert_eq!(cable.shell.evaluate(&heard("offline")), "offlinefalse");
            cable.register("link");
            assert_eq!(cable.held_by("link", &["offline"]), "offline");
            cable.plug_in();
            cable.expect_delivery("link");
            assert_eq!(cable.shell.evaluate(&heard("online")), "onlinetrue");

            cable.near(&format!("address del {OWN}/24 dev near"));
            cable.wait_for_network(false);
            cable.register("address");
            assert_eq!(cable.held_by("address", &["offline"]), "offline");
            cable.near(&format!("address add {OWN}/24 dev near"));
            cable.near(&format!("route add default via {GATEWAY}"));
            cable.expect_delivery("address");

            cable.near("route del default");
            cable.wait_for_network(false);
            cable.register("route");
            assert_eq!(cable.held_by("route", &["offline"]), "offline");
            cable.near(&format!("route add default via {GATEWAY}"));
            cable.expect_delivery("route");

            for tag in ["link", "address", "route"] {
                let dispatched = cable.shell.count_sync(tag, "dispatched");
                assert_eq!(dispatched, 1, "{tag}: not one try in vain");
            }
            cable.quit();
        },
    );
}

#[test]
fn a_server_that_is_gone_holds_a_sync_and_its_return_fires_it() {
    in_new_namespace(
        "network::a_server_that_is_gone_holds_a_sync_and_its_return_fires_it",
        || {
            let mut cable = Cable::new(|options| options);
            cable.unplug();
            cable.register("server");
            cable.server.stop();
            cable.plug_in();
            assert_eq!(cable.held_by("server", &["unreachable"]), "unreachable");
            assert_eq!(cable.shell.count_sync("server", "dispatched"), 0);
            cable.server.go_on();
            cable.expect_delivery("server");
            cable.quit();
        },
    );
}

#[test]
fn a_server_that_goes_away_while_the_link_stays_up_is_delivered_to_when_it_is_back() {
    in_new_namespace(
        "network::a_server_that_goes_away_while_the_link_stays_up_is_delivered_to_when_it_is_back",
        || {
            let mut cable = Cable::new(|options| options);
            cable.server.stop();
            // Nothing has shown yet that it is gone.
            cable.shell.say("eval registerTag('lost')");
            cable.shell.wait_for_sync("lost", "finished");
            // No link comes up and no back-off ends; that the server answers is all there is.
            cable.server.go_on();
            cable.expect_delivery("lost");
            assert_eq!(cable.shell.count_sync("lost", "dispatched"), 2);
            cable.quit();
        },
    );
}

#[test]
fn a_link_that_flaps_fires_nothing_and_when_nothing_is_due_sends_nothing() {
    in_new_namespace(
        "network::a_link_that_flaps_fires_nothing_and_when_nothing_is_due_sends_nothing",
        || {
            let mut cable = Cable::new(|options| options);
            let before = cable.sent();
            for _ in 0..5 {
                cable.unplug();
                cable.plug_in();
                cable.wait_for_network(true);
            }
            cable.unplug();
            assert_eq!(cable.sent(), before);

            cable.register("flapped");
            for _ in 0..5 {
                cable.plug_into_nothing();
                cable.wait_for_network(true);
                cable.unplug();
            }
            assert_eq!(cable.shell.count_sync("flapped", "dispatched"), 0);
            cable.plug_in();
            cable.expect_delivery("flapped");
            assert_eq!(cable.shell.count_sync("flapped", "dispatched"), 1);
            cable.quit();
        },
    );
}

#[test]
fn nothing_fires_into_a_network_that_swallows_everything() {
    in_new_namespace(
        "network::nothing_fires_into_a_network_that_swallows_everything",
        || {
            let mut cable = Cable::new(|options| options);
            cable.unplug();
            cable.register("swallowed");
            cable.plug_into_nothing();
            cable.wait_for_network(true);
            cable.held_by("swallowed", &["checking", "unreachable"]);
            assert_eq!(cable.held_by("swallowed", &["unreachable"]), "unreachable");
            assert_eq!(cable.shell.count_sync("swallowed", "dispatched"), 0);
            cable.near(&format!("neigh del {SERVER} dev near"));
            cable.expect_delivery("swallowed");
            cable.quit();
        },
    );
}

#[test]
fn behind_a_captive_portal_a_sync_waits_for_the_log_in() {
    in_new_namespace(
        "network::behind_a_captive_portal_a_sync_waits_for_the_log_in",
        || {
            ip(&format!("address add {GATEWAY}/32 dev lo"));
            let gateway: IpAddr = GATEWAY.parse().unwrap();
            let portal = Site::serve_folder(PathBuf::from("."), gateway);
            ip(&format!("address del {GATEWAY}/32 dev lo"));
            let check = "/generate_204";
            portal.react(check, Reaction::Status(204));
            let url = format!("http://{GATEWAY}:{}{check}", portal.port());
            let mut cable =
                Cable::new(|options| options.argument("--captive-portal-check").argument(&url));
            cable.unplug();
            cable.register("portal");
            portal.react(check, Reaction::Status(302));
            cable.plug_in();
            assert_eq!(
                cable.held_by("portal", &["captive-portal"]),
                "captive-portal"
            );
            assert_eq!(network_of(&cable.shell, &url), Some(true));
            assert_eq!(cable.shell.count_sync("portal", "dispatched"), 0);
            portal.react(check, Reaction::Status(204));
            cable.expect_delivery("portal");
            assert_eq!(network_of(&cable.shell, &url), Some(false));
            cable.quit();
        },
    );
}

/// What `net --once` says of a captive portal on the network of a shell.
fn network_of(shell: &Shell, check: &str) -> Option<bool> {
    let program = Path::new(env!("CARGO_BIN_EXE_shell-under-test"));
    let output = inside(shell.id(), program.to_str().unwrap())
        .args(["net", "--once", "--json", "--captive-portal-check", check])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    match serde_json::from_slice(&output.stdout).unwrap() {
        ShellEvent::NetworkState(report) => report.captive_portal,
        other => panic!("{other:?}"),
    }
}
