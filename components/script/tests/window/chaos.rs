//! Pages that change everything while everything changes.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// More of them find more, in their time.
const SEEDS: RangeInclusive<u32> = 1..=3;

/// What a page does at random: each step may run in the midst of another one's events.
const STEPS: &str = "
    let state = SEED, depth = 0, steps = 0;
    const random = n => { state = (state * 1103515245 + 12345) & 0x7fffffff; return (state >> 8) % n };
    const all = () => {
        const found = [window];
        for (const w of found) for (let i = 0; i < w.length && found.length < 40; i++) found.push(w[i]);
        return found;
    };
    const any = list => list[random(list.length)];
    const place = w => w.document.body || w.document.documentElement || w.document;
    const sources = ['/a', '/a?again', 'about:blank', '/gone', 'javascript:`<p>text`', 'javascript:top.step()',
        'mailto:x@y.test', '#fragment', 'data:text/html,x', '/nothing',
        URL.createObjectURL(new Blob(['<iframe src=/a></iframe>'], { type: 'text/html' }))];
    const listen = w => {
        for (const type of ['load', 'pagehide', 'unload', 'beforeunload', 'hashchange', 'message', 'pageshow'])
            if (random(3) == 0) w.addEventListener(type, () => step());
    };
    const acts = [
        w => { const frame = w.document.createElement('iframe'); if (random(2)) frame.src = any(sources);
               if (random(2)) frame.onload = () => step(); if (random(4) == 0) frame.name = 'f' + random(4);
               if (random(5) == 0) frame.sandbox = any(['', 'allow-scripts', 'allow-same-origin allow-scripts']);
               place(w).append(frame); if (frame.contentWindow) listen(frame.contentWindow); },
        w => w.frameElement?.remove(),
        w => { const frame = any([...w.document.getElementsByTagName('iframe')]); if (frame) place(any(all())).append(frame) },
        w => { const frame = any([...w.document.getElementsByTagName('iframe')]); if (frame) place(w).prepend(frame) },
        w => { place(w).innerHTML = any(['', '<iframe src=/a></iframe>', '<iframe srcdoc=\"<iframe></iframe>\"></iframe><p>']) },
        w => { if (w !== window) w.location = any(sources) },
        w => { if (w !== window) w.location.replace(any(sources)) },
        w => { if (w !== window) w.location.reload() },
        w => { const frame = w.frameElement; if (frame) frame.src = any(sources) },
        w => { const frame = w.frameElement; if (frame) frame.srcdoc = '<iframe src=/a></iframe>' },
        w => { if (w !== window) { w.document.open(); w.document.write('<p>a<iframe src=/a></iframe>'); if (random(2)) w.document.close() } },
        w => { if (w !== window) w.document.write('<script>top.step()</', 'script>') },
        w => w.stop(),
        w => w.history.back(),
        w => { w.history.pushState(random(9), '', '?' + random(9)) },
        w => { w.location.hash = random(9) },
        w => w.postMessage(random(9), '*'),
        w => listen(w),
        w => w.setTimeout(() => step(), 0),
        w => { open(any(sources.slice(0, 3)), any(['f0', 'f1', 'f2', 'f3'])) },
        w => w.eval('[].concat(document.body, frames.length)'),
        w => { if (w !== window) w.close() },
        w => w.focus(),
        w => { any([...w.document.querySelectorAll('*')])?.remove() },
        w => { place(any(all())).append(...w.document.querySelectorAll('p')) },
        w => { const base = w.document.createElement('base'); base.href = '/x' + random(9); place(w).append(base) },
        w => { w.navigator.serviceWorker.getRegistration() },
        w => { w.fetch('/a') },
    ];
    window.step = () => {
        if (depth > 6 || steps > 400) return;
        depth++; steps++;
        try { any(acts)(any(all())) } catch (e) { if (String(e.message).includes('internal')) console.log('panic: ' + e.message) }
        depth--;
    };
    new Promise(resolve => {
        let rounds = 0;
        const round = () => {
            for (let i = 0; i < 6; i++) step();
            if (++rounds < 40) setTimeout(round); else resolve('done ' + (steps > 200));
        };
        round();
    })";

#[test]
fn nothing_that_scripts_do_to_one_another_is_too_much() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().name() == Some("window") {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        usual(panic);
    }));
    let site = Site::new(&[
        ("/", "text/html", "<body>"),
        (
            "/a",
            "text/html",
            "<p>a</p><iframe></iframe><script>top.step?.(); onpagehide = () => top.step?.()</script>",
        ),
    ]);
    for seed in SEEDS {
        let browser = Browser::new();
        let window = browser.load(site.url("/"));
        let script = STEPS.replace("SEED", &seed.to_string());
        let answer = window.evaluate(&script);
        assert_eq!(answer.as_deref(), Ok("done true"), "seed {seed}");
        // All of it can go, and the page goes on.
        let gone = "while (document.firstChild) document.firstChild.remove(); length";
        assert_eq!(window.text(gone), "0", "seed {seed}");
        window.close();
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "seed {seed}");
    }
}
