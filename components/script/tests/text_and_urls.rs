//! Text encoding, URLs and blobs.

use proptest::prelude::*;

use crate::Page;

#[test]
fn a_detached_buffer_has_no_bytes() {
    let page = Page::new();
    page.run(
        "var buffer = new TextEncoder().encode('gone').buffer, view = new DataView(buffer, 1),
           bytes = new Uint8Array(buffer, 1, 2);
         structuredClone(0, { transfer: [buffer] });",
    );
    for input in ["buffer", "view", "bytes"] {
        assert_eq!(
            page.run(&format!(
                "new TextDecoder().decode({input}) + new Blob([{input}]).size"
            )),
            "0",
            "{input}"
        );
    }
}

#[test]
fn text_is_encoded_and_decoded() {
    let page = Page::new();
    for (script, expected) in [
        (
            "[...new TextEncoder().encode('m\\u00fc\\ud800')]",
            "109,195,188,239,191,189",
        ),
        (
            "const e = new TextEncoder(); e.encoding + e.encode().length",
            "utf-80",
        ),
        (
            "const a = new Uint8Array(4), r = new TextEncoder().encodeInto('a\\u20ac\\u00fc', a); [r.read, r.written, ...a]",
            "2,4,97,226,130,172",
        ),
        (
            "const a = new Uint8Array(3), r = new TextEncoder().encodeInto('\\ud83d\\ude80', a); [r.read, r.written]",
            "0,0",
        ),
        (
            "const a = new Uint8Array(8).subarray(2, 6), r = new TextEncoder().encodeInto('\\ud83d\\ude80', a); [r.read, r.written, ...new Uint8Array(a.buffer)]",
            "2,4,0,0,240,159,154,128,0,0",
        ),
        (
            "try { new TextEncoder().encodeInto('x', new Int8Array(1)) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "new TextDecoder().decode(new Uint8Array([239, 187, 191, 97, 255]))",
            "a\u{fffd}",
        ),
        (
            "new TextDecoder('utf-8', {ignoreBOM: true}).decode(new Uint8Array([239, 187, 191])).length",
            "1",
        ),
        (
            "try { new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([255])) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "const d = new TextDecoder(); d.decode(new Uint8Array([226, 130]), {stream: true}) + d.decode(new Uint8Array([172]), {stream: true}) + d.decode() + d.decode(new Uint8Array([97]))",
            "\u{20ac}a",
        ),
        (
            "const d = new TextDecoder('utf-8', {fatal: true}); d.decode(new Uint8Array([226]), {stream: true}); try { d.decode() } catch (e) { e.name + d.decode(new Uint8Array([97])) }",
            "TypeErrora",
        ),
        (
            "new TextDecoder('utf-16').decode(new Uint8Array([0xac, 0x20]))",
            "\u{20ac}",
        ),
        ("new TextDecoder('latin1').encoding", "windows-1252"),
        (
            "const d = new TextDecoder(); [d.encoding, d.fatal, d.ignoreBOM]",
            "utf-8,false,false",
        ),
        (
            "try { new TextDecoder('klingon') } catch (e) { e.name }",
            "RangeError",
        ),
        (
            "try { new TextDecoder('replacement') } catch (e) { e.name }",
            "RangeError",
        ),
        (
            "new TextDecoder().decode(new DataView(new Uint8Array([97, 98, 99]).buffer, 1))",
            "bc",
        ),
        ("new TextDecoder().decode()", ""),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}

proptest! {
    #[test]
    fn decoding_in_pieces_gives_the_same_text(
        bytes in prop::collection::vec(any::<u8>(), 0..24),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let page = Page::new();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(
            page.run(&format!(
                "const bytes = new Uint8Array({bytes:?}), cuts = [0, ...{cuts:?}, bytes.length];
                 const d = new TextDecoder();
                 let text = '';
                 for (let i = 0; i + 1 < cuts.length; i++)
                   text += d.decode(bytes.subarray(cuts[i], cuts[i + 1]), {{stream: true}});
                 (text + d.decode()) === new TextDecoder().decode(bytes)"
            )),
            "true"
        );
    }
}

#[test]
fn urls_are_read_and_changed_in_parts() {
    let page = Page::new();
    for (script, expected) in [
        ("const u = new URL('https://u:p@a.test:8080/b/c?d=e#f');
          [u.href, u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash].join(' ')",
         "https://u:p@a.test:8080/b/c?d=e#f https://a.test:8080 https: u p a.test:8080 a.test 8080 /b/c ?d=e #f"),
        ("new URL('../x?y', 'https://a.test/b/c/d').href", "https://a.test/b/x?y"),
        ("String(new URL('HTTP://A.test:80'))", "http://a.test/"),
        ("JSON.stringify({u: new URL('https://a.test')})", "{\"u\":\"https://a.test/\"}"),
        ("try { new URL('x') } catch (e) { e.name + ': ' + e.message }",
         "TypeError: Failed to construct 'URL': \"x\" is not a valid URL."),
        ("try { new URL('x', 'y') } catch (e) { e.message }",
         "Failed to construct 'URL': \"y\" is not a valid URL."),
        ("URL.canParse('x') + ',' + URL.canParse('x', 'https://a.test') + ',' + URL.parse('x') + ',' + URL.parse('https://a.test')",
         "false,true,null,https://a.test/"),
        ("const u = new URL('https://a.test/?a=1'); u.protocol = 'http'; u.host = 'b.test:81'; u.pathname = 'c d'; u.hash = 'e'; u.username = 'f'; u.href",
         "http://f@b.test:81/c%20d?a=1#e"),
        ("const u = new URL('https://a.test/'); u.port = '99999'; u.hostname = ''; u.protocol = 'data'; u.href", "https://a.test/"),
        ("const u = new URL('https://a.test/'); try { u.href = 'nonsense' } catch (e) { e.name + u.href }", "TypeErrorhttps://a.test/"),
        ("new URL('data:x').origin", "null"),
        ("const u = new URL('https://a.test/?a=1'); u.searchParams === u.searchParams", "true"),
        ("const u = new URL('https://a.test/?a=1#h'); u.searchParams.append('b', 'c d'); u.href", "https://a.test/?a=1&b=c+d#h"),
        ("const u = new URL('https://a.test/?a=1'), p = u.searchParams; u.search = '?x=y&x=z'; p.getAll('x').join()", "y,z"),
        ("const u = new URL('https://a.test/?a=1'), p = u.searchParams; u.href = 'https://b.test/?q'; p.has('q') + String(p.get('a'))", "truenull"),
        ("const u = new URL('https://a.test/?a=1'); u.searchParams.delete('a'); u.href", "https://a.test/"),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}

#[test]
fn search_parameters_are_a_list_of_pairs() {
    let page = Page::new();
    for (script, expected) in [
        (
            "String(new URLSearchParams('?a=b+c&d=%C3%BC&e'))",
            "a=b+c&d=%C3%BC&e=",
        ),
        (
            "String(new URLSearchParams('a=\\ud83d\\ude80&*-._~!'))",
            "a=%F0%9F%9A%80&*-._%7E%21=",
        ),
        ("String(new URLSearchParams({b: 1, a: 'x y'}))", "b=1&a=x+y"),
        (
            "String(new URLSearchParams([['a', '1'], ['a', '2']]))",
            "a=1&a=2",
        ),
        (
            "String(new URLSearchParams(new URLSearchParams('a=1')))",
            "a=1",
        ),
        (
            "try { new URLSearchParams([['a']]) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "const p = new URLSearchParams('a=1&b=2&a=3'); [p.size, p.get('a'), p.getAll('a').length, p.has('a', '3'), p.has('a', '4'), p.get('x')].join()",
            "3,1,2,true,false,",
        ),
        (
            "const p = new URLSearchParams('a=1&b=2&a=3'); p.set('a', '9'); p.set('c', ''); String(p)",
            "a=9&b=2&c=",
        ),
        (
            "const p = new URLSearchParams('a=1&b=2&a=3'); p.delete('a', '1'); p.append('b', '&'); String(p)",
            "b=2&a=3&b=%26",
        ),
        (
            "const p = new URLSearchParams('z=1&\\uffff=2&\\ud83d\\ude80=3&a=4&z=0'); p.sort(); [...p.values()].join()",
            "4,1,0,3,2",
        ),
        ("[...new URLSearchParams('a=1&b=2')].join('|')", "a,1|b,2"),
        (
            "const seen = []; new URLSearchParams('a=1').forEach((v, k) => seen.push(k + v)); seen.join()",
            "a1",
        ),
        (
            "URLSearchParams.prototype[Symbol.iterator] === URLSearchParams.prototype.entries",
            "true",
        ),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}

#[test]
fn blobs_are_bytes_with_a_type() {
    let page = Page::new();
    for (script, expected) in [
        (
            "const b = new Blob(['a\\u00fc', new Uint8Array([1, 2]), new Blob(['x']), new Uint8Array([3, 4]).buffer], {type: 'Text/Plain'}); b.size + b.type",
            "8text/plain",
        ),
        ("new Blob([], {type: 'a\\u00fc'}).type", ""),
        ("new Blob().size", "0"),
        (
            "let b = new Blob(['x'.repeat(1e6)]);
             try { for (;;) b = new Blob([b, b]) } catch (e) { e.name + (b.size > 3e7) }",
            "RangeErrortrue",
        ),
        (
            "const b = new Blob(['abcdef']); [b.slice(2).size, b.slice(-2).size, b.slice(1, -1).size, b.slice(4, 2).size, b.slice(0, 99, 'X/y').type]",
            "4,2,4,0,x/y",
        ),
        ("try { new Blob('abc') } catch (e) { e.name }", "TypeError"),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
    page.run(
        "const b = new Blob(['a\\r\\nb\\rc', '\\ufeff'], {endings: 'native'}).slice(1);
         (async () => { globalThis.seen = JSON.stringify([await b.text(),
             [...new Uint8Array(await b.arrayBuffer())], (await b.bytes()).length,
             await structuredClone(b).text()]); })()",
    );
    assert_eq!(
        page.run("seen"),
        "[\"\\nb\\nc\u{feff}\",[10,98,10,99,239,187,191],7,\"\\nb\\nc\u{feff}\"]"
    );
}

#[test]
fn files_are_blobs_with_a_name() {
    let page = Page::new();
    for (script, expected) in [
        (
            "const f = new File(['ab', new Blob(['c'])], 'n.txt', {type: 'Text/Plain', lastModified: 5}); [f.name, f.type, f.size, f.lastModified, f instanceof Blob, String(f)]",
            "n.txt,text/plain,3,5,true,[object File]",
        ),
        ("new File([], 'x').lastModified", "0"),
        ("new File(['abc'], 'x').slice(1) instanceof File", "false"),
        (
            "try { new File(['abc']) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "const f = structuredClone([new File(['\\u00fc'], '\\u20ac', {type: 'a/b', lastModified: -7})])[0]; [f instanceof File, f.name, f.type, f.size, f.lastModified]",
            "true,\u{20ac},a/b,2,-7",
        ),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}

#[test]
fn form_data_is_a_list_of_entries() {
    let page = Page::new();
    page.run(
        "function form(...entries) { const f = new FormData(); for (const e of entries) f.append(...e); return f; }
         function list(form) { return [...form].map(([name, value]) => name + '=' + (value.name ?? value)).join('&'); }",
    );
    for (script, expected) in [
        (
            "list(form(['a', 1], ['b', 'x'], ['a', null]))",
            "a=1&b=x&a=null",
        ),
        (
            "const f = form(['a', 1], ['b', 2], ['a', 3]); f.delete('a'); list(f)",
            "b=2",
        ),
        (
            "const f = form(['b', 0], ['a', 1], ['b', 2], ['a', 3], ['b', 4]); f.set('a', 9); list(f)",
            "b=0&a=9&b=2&b=4",
        ),
        (
            "const f = form(); f.set('a', new Blob(['x']), 'n'); list(f)",
            "a=n",
        ),
        (
            "const f = form(['a', 1], ['a', 2]); [f.get('a'), f.get('b'), f.getAll('a'), f.has('a'), f.has('b')].join('|')",
            "1||1,2|true|false",
        ),
        (
            "const f = form(['a', new Blob(['xy'], {type: 'a/b'})]).get('a'); [f instanceof File, f.name, f.type, f.size]",
            "true,blob,a/b,2",
        ),
        (
            "const f = new File(['x'], 'own', {lastModified: 3}); form(['a', f]).get('a') === f",
            "true",
        ),
        (
            "const f = form(['a', new File(['x'], 'own', {lastModified: 3}), 'other']).get('a'); f.name + f.lastModified",
            "other3",
        ),
        (
            "try { form(['a', 'text', 'name']) } catch (e) { e.name }",
            "TypeError",
        ),
        ("try { new FormData({}) } catch (e) { e.name }", "TypeError"),
        (
            "String(new FormData()) + FormData.prototype.append.length + FormData.length",
            "[object FormData]20",
        ),
        ("form(['\\ud800', '\\udfff']).get('\\ufffd')", "\u{fffd}"),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}
