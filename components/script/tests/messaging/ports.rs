//! Message channels and ports.

use super::agents;
use crate::service_worker::events::message;

#[test]
fn messages_come_in_order_once_the_port_is_started() {
    let (_host, [page]) = agents();
    page.run(
        "var { port1, port2 } = new MessageChannel();
         port2.addEventListener('message', e => log.push(e.data));
         port1.postMessage(1); port1.postMessage('two'); port2.postMessage('back');",
    );
    assert_eq!(page.log(), "");
    page.run("port1.postMessage({ toString: null }.x); port2.start(); port1.postMessage(4);");
    assert_eq!(page.log(), "1 two  4");
    // `onmessage` starts it too, and not from within.
    page.run("listen(port1, 'first'); log.push('set')");
    assert_eq!(page.log(), "set first:back");
    assert_eq!(
        page.run(
            "[port1 instanceof EventTarget, MessageChannel.length, port1.onclose,
              port1.postMessage.length, new MessageChannel().port1 === port1].join()"
        ),
        "true,0,,1,false"
    );
}

#[test]
fn a_message_event_has_the_transferred_ports() {
    let (_host, [page]) = agents();
    page.run(
        "var { port1, port2 } = new MessageChannel(), inner = new MessageChannel(), event;
         port2.onmessage = e => { event = e };
         var list = [inner.port1, inner.port2];
         port1.postMessage({ deep: [inner.port2] }, { transfer: list });",
    );
    assert_eq!(
        page.run(
            "const [one, two] = event.ports;
             [event.ports.length, Object.isFrozen(event.ports), event.ports === event.ports,
              event.data.deep[0] === two, one === inner.port1, one instanceof MessagePort,
              event.origin === '', event.source, event.isTrusted, event.type].join()"
        ),
        "2,true,true,true,false,true,true,,true,message"
    );
    page.run("listen(event.ports[0]); event.ports[1].postMessage('through')");
    assert_eq!(page.log(), "got:through");
    assert_eq!(
        page.run(
            "const made = new MessageEvent('x', { ports: [port1], source: port2 });
             made.initMessageEvent('y', false, false, 0, '', '', null, [port1, port2]);
             [made.type, made.ports.length, made.ports[1] === port2].join()"
        ),
        "y,2,true"
    );
}

#[test]
fn nothing_is_lost_or_overtaken_while_a_port_moves() {
    let (_host, [one, two, three]) = agents();
    one.run("var { port1, port2 } = new MessageChannel(); port1.postMessage('a');");
    let bytes = one.serialize("port2", "port2");
    one.run("port1.postMessage('b')");
    two.deserialize("port", &bytes);
    one.run("port1.postMessage('c')");
    // It goes on before anybody has looked at it.
    two.turn();
    two.send("port", &three, "port");
    one.run("port1.postMessage('d')");
    three.run("listen(port)");
    one.run("port1.postMessage('e')");
    assert_eq!(three.log(), "got:a got:b got:c got:d got:e");
    three.run("port.postMessage('reply')");
    one.run("listen(port1)");
    assert_eq!(one.log(), "got:reply");
    // And back, to where the other one is.
    three.send("port", &one, "home");
    one.run("listen(home, 'home'); port1.postMessage('f')");
    assert_eq!(one.log(), "home:f");
    assert_eq!(three.log(), "");
}

#[test]
fn a_started_port_takes_what_it_has_not_delivered_along() {
    let (_host, [one, two]) = agents();
    one.run(
        "var { port1, port2 } = new MessageChannel(); listen(port2, 'old');
         port1.postMessage('first'); port1.postMessage('second');
         var other = new MessageChannel();
         port2.onmessage = e => { log.push('old:' + e.data); other.port1.postMessage('', [port2]) };",
    );
    assert_eq!(one.log(), "old:first");
    one.send("other.port2", &two, "carrier");
    two.run("carrier.onmessage = e => listen(e.ports[0], 'new')");
    assert_eq!(two.log(), "new:second");
}

#[test]
fn what_cannot_be_transferred_throws() {
    let (_host, [page]) = agents();
    let prepared = page.run(
        "var { port1, port2 } = new MessageChannel();
         var gone = new MessageChannel().port1; structuredClone(gone, { transfer: [gone] });
         var shut = new MessageChannel().port1; shut.close();
         var buffer = new ArrayBuffer(4), spent = new ArrayBuffer(4);
         structuredClone(0, { transfer: [spent] });",
    );
    assert_eq!(prepared, "0");
    for (message, transfer) in [
        ("port2", "[]"),
        ("0", "[port1]"),
        ("0", "[port2, port2]"),
        ("0", "[buffer, buffer]"),
        ("0", "[buffer, gone]"),
        ("0", "[buffer, shut]"),
        ("0", "[buffer, spent]"),
        ("0", "[buffer, {}]"),
        ("0", "[new Blob()]"),
        ("() => 0", "[buffer]"),
    ] {
        let result = page.run(&format!(
            "try {{ port1.postMessage({message}, {transfer}) }} catch (e) {{ `${{e}}` }}"
        ));
        assert!(
            result.starts_with("DataCloneError"),
            "{message} {transfer}: {result}"
        );
    }
    assert_eq!(
        page.run("try { port1.postMessage(0, [null]) } catch (e) { e.name }"),
        "TypeError"
    );
    // Nothing was transferred halfway.
    page.run("listen(port2); port1.postMessage(buffer.byteLength)");
    assert_eq!(page.log(), "got:4");
}

#[test]
fn a_closed_port_tells_the_other_one_after_its_last_message() {
    let (_host, [one, two]) = agents();
    for (closer, other) in [(&one, &one), (&one, &two), (&two, &one)] {
        closer.run("var { port1, port2 } = new MessageChannel();");
        closer.send("port2", other, "theirs");
        closer.page.run(
            "listen(port1, 'own'); port1.postMessage('last'); port1.close(); port1.close();
             port1.postMessage('late');",
        );
        other.run("listen(theirs); theirs.postMessage('nobody hears')");
        // The channel is closed before anybody looks at it, so its end comes first.
        assert_eq!(other.log(), "got:close got:last");
        assert_eq!(closer.log(), "");
    }
    one.run("var { port1, port2 } = new MessageChannel(); listen(port2);");
    one.page.run("port1.postMessage('last'); port1.close()");
    assert_eq!(one.log(), "got:last got:close");
}

#[test]
fn a_port_sent_through_its_own_channel_is_lost() {
    let (_host, [page]) = agents();
    page.run(
        "var { port1, port2 } = new MessageChannel(); listen(port1);
         port1.postMessage('doomed', [port2]); port1.postMessage('nobody');",
    );
    assert_eq!(page.log(), "got:close");
    assert_eq!(
        page.run("try { structuredClone(port2, { transfer: [port2] }) } catch (e) { e.name }"),
        "DataCloneError"
    );
}

#[test]
fn messages_come_even_if_no_script_refers_to_the_ports() {
    let (_host, [one, two]) = agents();
    one.page.run(
        "(() => { const { port1, port2 } = new MessageChannel();
           listen(port2, 'local'); port1.postMessage('x') })()",
    );
    one.page.runtime.collect_garbage();
    assert_eq!(one.log(), "local:x");
    one.run("var { port1, port2 } = new MessageChannel()");
    one.send("port2", &two, "theirs");
    two.run("listen(theirs); delete globalThis.theirs");
    two.page.runtime.collect_garbage();
    one.run("port1.postMessage('y')");
    assert_eq!(two.log(), "got:y");
}

#[test]
fn ports_that_nothing_can_reach_are_collected() {
    let (_host, [one, two]) = agents();
    let before = (one.host_objects(), two.host_objects());
    // Both on one thread, with listeners.
    one.run("(() => { const c = new MessageChannel(); listen(c.port1); listen(c.port2) })()");
    assert_eq!(one.host_objects(), before.0);
    // Without listeners, and so the other one hears of it.
    one.run("globalThis.kept = new MessageChannel().port1;");
    assert_eq!(one.run("delete globalThis.kept"), "true");
    one.run("globalThis.channel = new MessageChannel(); listen(channel.port1, 'far')");
    one.send("channel.port2", &two, "theirs");
    one.run("delete globalThis.channel");
    assert!(one.host_objects() > before.0, "somebody listens");
    two.run("delete globalThis.theirs");
    assert_eq!(two.host_objects(), before.1);
    assert_eq!(one.log(), "far:close");
    assert_eq!(one.host_objects(), before.0);
}

#[test]
fn the_end_of_a_thread_closes_its_ports() {
    let (_host, [one, two]) = agents();
    one.run(
        "var held = new MessageChannel(), waiting = new MessageChannel(), carrier;
         listen(held.port1, 'held'); listen(waiting.port1, 'waiting');
         waiting.port1.postMessage('never read');",
    );
    one.run("carrier = new MessageChannel()");
    one.send("held.port2", &two, "held");
    one.send("carrier.port2", &two, "carrier");
    // This one is on its way when the thread ends.
    one.run("carrier.port1.postMessage('', [waiting.port2])");
    two.run("listen(held)");
    drop(two);
    assert_eq!(one.log(), "held:close waiting:close");
}

#[test]
fn data_that_cannot_be_read_is_an_error_event_and_closes_its_ports() {
    let (_host, [one, two]) = agents();
    one.run("var { port1, port2 } = new MessageChannel(); listen(port1)");
    let mut bytes = one.serialize("port2", "port2");
    bytes.push(0);
    let read = script::structured_clone::deserialize(&two.page.realm, &bytes);
    assert!(read.is_err());
    two.host_objects();
    assert_eq!(one.log(), "got:close");
    // An id that nobody has given away is that of a closed port.
    let forged = [&[1, 1, 22][..], &[7; 16], &[8, 0]].concat();
    two.deserialize("forged", &forged);
    two.run("listen(forged); forged.postMessage('x')");
    assert_eq!(two.log(), "got:close");
}

#[test]
fn a_window_posts_to_itself() {
    let (_host, [page]) = agents();
    page.run(
        "onmessage = e => log.push([e.data, e.origin, e.source === window, e.ports.length].join());
         var { port1, port2 } = new MessageChannel();
         postMessage('plain'); postMessage('any', '*'); postMessage('ports', '*', [port1]);
         postMessage('options', { targetOrigin: 'https://example.test/x', transfer: [port2] });
         postMessage('same', '/'); postMessage('other', 'https://www.example.test');
         postMessage('opaque', 'data:,');
         log.push('posted');",
    );
    let common = "https://example.test,true";
    assert_eq!(
        page.log(),
        format!(
            "posted plain,{common},0 any,{common},0 ports,{common},1 options,{common},1 \
             same,{common},0"
        )
    );
    assert_eq!(
        page.run(
            "try { postMessage(0, 'no origin') } catch (e) { e.name + window.postMessage.length }"
        ),
        "SyntaxError1"
    );
}

#[test]
fn a_service_worker_answers_through_a_port_of_its_client() {
    let (mut host, [page]) = agents();
    host.run(
        "let event, keep;
         onmessage = e => {
           event = e; [keep] = e.ports;
           keep.onmessage = ({ data }) => keep.postMessage(data + '!');
           keep.postMessage([e.ports.length, Object.isFrozen(e.ports), e.data === keep,
             e.ports === e.ports].join());
         };",
    );
    page.run("var { port1, port2 } = new MessageChannel(); listen(port1)");
    let bytes = page.serialize("port2", "port2");
    host.send(message(bytes));
    page.wait();
    assert_eq!(page.log(), "got:1,true,true,true");
    page.run("port1.postMessage('hello')");
    page.wait();
    assert_eq!(page.log(), "got:hello!");
    // Its ports go with it.
    drop(host);
    assert_eq!(page.log(), "got:close");
}
