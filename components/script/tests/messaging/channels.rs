//! Broadcast channels.

use std::rc::Rc;

use base::ids::ClientId;
use script::environment::Environment;
use url::Url;

use super::{Agent, agents};
use crate::service_worker::host::Host;

#[test]
fn a_message_goes_to_all_others_of_its_name_and_origin() {
    let (_host, [one, two]) = agents();
    one.run(
        "var own = new BroadcastChannel('news'), twin = new BroadcastChannel('news'),
           other = new BroadcastChannel('weather');
         listen(own, 'own'); listen(twin, 'twin'); listen(other, 'other');",
    );
    two.run("var far = new BroadcastChannel('news'); listen(far, 'far')");
    one.run("own.postMessage('first'); own.postMessage('second')");
    assert_eq!(one.log(), "twin:first twin:second");
    assert_eq!(two.log(), "far:first far:second");
    two.run("far.postMessage('back')");
    assert_eq!(one.log(), "own:back twin:back");
    assert_eq!(two.log(), "");
    assert_eq!(
        one.run(
            "var event; own.onmessage = e => { event = e };
             twin.postMessage({ deep: [new Date(7)] });
             [own instanceof EventTarget, own.name, BroadcastChannel.length].join()"
        ),
        "true,news,1"
    );
    assert_eq!(
        one.run(
            "[event.data.deep[0].getTime(), event.origin, event.source, event.ports.length,
              event.target === own].join()"
        ),
        "7,https://example.test,,0,true"
    );
}

#[test]
fn another_origin_hears_nothing() {
    let host = Host::new();
    let agent = |url: &str| {
        let agent = Agent::new(&host.services);
        let url = Url::parse(url).unwrap();
        let environment = Environment::new(ClientId::random(), url, host.services.clone());
        agent.page.realm.add_service(Rc::new(environment));
        agent.run("var channel = new BroadcastChannel('c'); listen(channel)");
        agent
    };
    let same = [agent("https://a.test/"), agent("https://a.test/x")];
    let others = [
        agent("https://a.test:444/"),
        agent("http://a.test/"),
        agent("data:,x"),
        agent("data:,x"),
    ];
    for sender in same.iter().chain(&others) {
        sender.run("channel.postMessage('hello')");
        let heard = same.iter().chain(&others).map(Agent::log);
        let heard = heard.filter(|log| !log.is_empty()).count();
        assert_eq!(
            heard,
            usize::from(same.iter().any(|own| std::ptr::eq(own, sender)))
        );
    }
}

#[test]
fn a_closed_channel_neither_sends_nor_gets() {
    let (_host, [one, two]) = agents();
    one.run("var channel = new BroadcastChannel('c'); listen(channel)");
    two.run("var channel = new BroadcastChannel('c'); channel.postMessage('on its way')");
    one.page.run("channel.close(); channel.close()");
    assert_eq!(one.log(), "");
    assert_eq!(
        one.run("try { channel.postMessage(0) } catch (e) { e.name }"),
        "InvalidStateError"
    );
    assert_eq!(
        two.run("try { channel.postMessage(() => 0) } catch (e) { e.name }"),
        "DataCloneError"
    );
    assert_eq!(
        two.run("try { channel.postMessage(new MessageChannel().port1) } catch (e) { e.name }"),
        "DataCloneError"
    );
}

#[test]
fn a_channel_is_kept_while_somebody_listens() {
    let (_host, [one, two]) = agents();
    let before = one.host_objects();
    one.run("(() => { listen(new BroadcastChannel('c')); new BroadcastChannel('c') })()");
    assert!(one.host_objects() > before);
    two.run("var channel = new BroadcastChannel('c'); channel.postMessage('x')");
    assert_eq!(one.log(), "got:x");
    one.run(
        "(() => { const channel = new BroadcastChannel('c');
           channel.onmessage = () => channel.close() })()",
    );
    let with_two = one.host_objects();
    two.run("channel.postMessage('y')");
    assert_eq!(one.log(), "got:y");
    assert!(one.host_objects() < with_two);
}
