use std::thread;

use wpt_server::Tree;

use crate::client::{Answer, Fixture};

#[test]
fn what_was_sent_is_written_down_under_its_key() {
    let server = Fixture::start(Tree::new());
    for body in ["one", "two\n"] {
        let request = server.agent.post(server.url("/_wpt/log?key=k"));
        let answer = Answer::of(request.header("X-Test", "1").send(body).unwrap());
        assert_eq!(answer.status, 204);
    }
    let answer = server.get("/_wpt/log?key=k");
    let lines: Vec<serde_json::Value> = answer
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["method"], "POST");
    assert_eq!(lines[0]["url"], "/_wpt/log?key=k");
    assert_eq!(lines[0]["headers"]["x-test"], "1");
    assert_eq!(lines[1]["body"], "two\n");
    assert_eq!(server.get("/_wpt/log?key=other").body, "");
    let of_handler = server.get("/background-sync/resources/log.py?key=k");
    assert_eq!(of_handler.body, answer.body);
    server
        .agent
        .delete(server.url("/_wpt/log?key=k"))
        .call()
        .unwrap();
    assert_eq!(server.get("/_wpt/log?key=k").body, "");
}

#[test]
fn the_log_can_be_waited_for() {
    let server = Fixture::start(Tree::new());
    let url = server.url("/_wpt/log?key=k");
    let agent = server.agent.clone();
    let waiting =
        thread::spawn(move || Answer::of(agent.get(format!("{url}&wait=1")).call().unwrap()).body);
    server.get("/_wpt/status?code=200&key=k");
    assert!(
        waiting
            .join()
            .unwrap()
            .contains("/_wpt/status?code=200&key=k")
    );
}

#[test]
fn statuses_come_in_turn() {
    let server = Fixture::start(Tree::new());
    assert_eq!(server.get("/_wpt/status?code=503").status, 503);
    let statuses: Vec<_> = (0..4)
        .map(|_| server.get("/_wpt/status?code=503,404,200&key=k").status)
        .collect();
    assert_eq!(statuses, [503, 404, 200, 200]);
    assert_eq!(server.get("/_wpt/log?key=k").body.lines().count(), 4);
}

#[test]
fn a_held_request_is_answered_when_it_is_released() {
    let server = Fixture::start(Tree::new());
    let (url, agent) = (server.url("/_wpt/hold?key=k"), server.agent.clone());
    let held = thread::spawn(move || Answer::of(agent.get(url).call().unwrap()).body);
    server.get("/_wpt/log?key=k&wait=1");
    assert!(!held.is_finished());
    assert_eq!(server.get("/_wpt/release?key=k").status, 204);
    assert_eq!(held.join().unwrap(), "released");
    assert_eq!(server.get("/_wpt/hold?key=k").body, "released");
}

#[test]
fn a_worker_script_comes_from_the_url() {
    let server = Fixture::start(Tree::new());
    let path = "/_wpt/worker?body=self.a%3D1;&header=Service-Worker-Allowed:/&header=Cache-Control:max-age=60";
    let answer = server.get(path);
    assert_eq!(answer.body, "self.a=1;");
    assert_eq!(answer.header("content-type"), "text/javascript");
    assert_eq!(answer.header("service-worker-allowed"), "/");
    assert_eq!(answer.header("cache-control"), "max-age=60");
    let fresh = |_| server.get("/_wpt/worker?body=1&fresh=1").body;
    let [first, second] = [0, 1].map(fresh);
    assert_ne!(first, second);
}

#[test]
fn redirects_lead_where_they_are_told() {
    let server = Fixture::start(Tree::new());
    let answer = server.get("/_wpt/redirect?to=/x%3Fy&code=307");
    assert_eq!(answer.status, 307);
    assert_eq!(answer.header("location"), "/x?y");
}

#[test]
fn a_request_may_stay_without_an_answer() {
    let server = Fixture::start(Tree::new());
    let url = server.url("/_wpt/close?key=k");
    assert!(server.agent.post(url).send("x").is_err());
    assert!(
        server
            .get("/_wpt/log?key=k")
            .body
            .contains("\"body\":\"x\"")
    );
}

#[test]
fn every_origin_may_ask() {
    let server = Fixture::start(Tree::new());
    let request = server.agent.options(server.url("/_wpt/log?key=k"));
    let answer = Answer::of(request.call().unwrap());
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-headers").contains('*'));
    assert_eq!(server.get("/_wpt/log?key=k").body, "");
}

#[test]
fn a_request_that_makes_no_sense_is_told_so() {
    let server = Fixture::start(Tree::new());
    for (path, problem) in [
        ("/_wpt/log", "the parameter \"key\" is missing"),
        ("/_wpt/status?code=99", "\"99\" is not a status"),
        ("/_wpt/frob", "there is no helper \"frob\""),
        ("/_wpt/log?key=k&wait=x", "\"x\" is not a number"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (400, problem));
    }
}
