//! What scripts do with the nodes of a page.

use super::*;

#[test]
fn a_todo_application_works() {
    let site = Site::page(
        "<!doctype html><title>To do</title><body>
         <form id=form><input id=input name=text placeholder=What?><button>Add</button></form>
         <ul id=list class='items'></ul><output id=left></output>
         <script>
         const list = document.querySelector('#list');
         document.getElementById('form').addEventListener('submit', event => {
             event.preventDefault();
             const item = document.createElement('li');
             item.innerHTML = '<label><input type=checkbox> <span></span></label><button class=\"delete\">x</button>';
             item.querySelector('span').textContent = input.value;
             list.append(item);
             input.value = '';
             count();
         });
         list.addEventListener('click', event => {
             if (event.target.matches('button.delete')) event.target.closest('li').remove();
             count();
         });
         list.addEventListener('change', event => {
             event.target.closest('li').classList.toggle('done', event.target.checked);
             count();
         });
         function count() {
             left.value = list.querySelectorAll('li:not(.done)').length + ' left';
         }
         function add(text) { input.value = text; document.querySelector('form button').click(); }
         var input = document.getElementById('input'), left = document.getElementById('left');
         </script>",
    );
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    window.text("add('milk'); add('<b>bread</b>'); add('tea')");
    assert_eq!(window.text("left.value + '|' + input.value"), "3 left|");
    assert_eq!(
        window.text("[...list.querySelectorAll('span')].map(span => span.textContent).join()"),
        "milk,<b>bread</b>,tea"
    );
    window.text("list.querySelectorAll('input')[1].click()");
    assert_eq!(window.text("left.value"), "2 left");
    assert_eq!(
        window.text("list.querySelector('li.done span').innerHTML"),
        "&lt;b&gt;bread&lt;/b&gt;"
    );
    assert_eq!(
        window.text("list.querySelector('input:checked').closest('li') === list.children[1]"),
        "true"
    );
    window.text("list.querySelector('.delete').click()");
    assert_eq!(
        window.text("left.value + ' of ' + list.children.length"),
        "1 left of 2"
    );
    assert_eq!(
        site.requests(),
        ["GET /"],
        "a submit event that is canceled sends nothing"
    );
    window.close();
}

#[test]
fn nodes_keep_their_objects_and_refuse_what_is_no_tree() {
    let site = Site::page("<body><div id=a><p id=b>one<b>two</b></p></div>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    for (script, expected) in [
        (
            "const a = document.getElementById('a'); a.mark = 1; document.querySelector('div').mark",
            "1",
        ),
        (
            "a.firstChild === a.childNodes[0] && a.firstChild.parentNode === a",
            "true",
        ),
        (
            "a instanceof HTMLElement && a instanceof Node && a instanceof EventTarget",
            "true",
        ),
        (
            "Object.prototype.toString.call(a.firstChild.firstChild)",
            "[object Text]",
        ),
        (
            "document.createElement('blink') instanceof HTMLUnknownElement",
            "true",
        ),
        (
            "[a.nodeName, a.nodeType, document.nodeType, a.localName].join()",
            "DIV,1,9,div",
        ),
        ("a.textContent", "onetwo"),
        (
            "a.cloneNode(true).outerHTML",
            "<div id=\"a\"><p id=\"b\">one<b>two</b></p></div>",
        ),
        (
            "try { a.firstChild.append(a) } catch (error) { error.name + error.code }",
            "HierarchyRequestError3",
        ),
        (
            "try { a.removeChild(document.body) } catch (error) { error.name }",
            "NotFoundError",
        ),
        (
            "try { a.querySelector('p >') } catch (error) { error.name }",
            "SyntaxError",
        ),
        (
            "try { a.setAttribute('<', '') ; a.setAttribute('a b', '') } catch (error) { error.name }",
            "InvalidCharacterError",
        ),
        (
            "try { new HTMLElement() } catch (error) { error.name }",
            "TypeError",
        ),
        (
            "try { Node.prototype.appendChild.call({}, a) } catch (error) { error.name }",
            "TypeError",
        ),
        (
            "const f = new DocumentFragment(); f.append('x', document.createElement('i')); a.prepend(f); a.innerHTML",
            "x<i></i><p id=\"b\">one<b>two</b></p>",
        ),
        (
            "a.replaceChildren('y'); a.outerHTML = '<hr>'; document.body.innerHTML.trim()",
            "<hr>",
        ),
        (
            "document.title = 'T'; document.title + document.head.children.length",
            "T1",
        ),
        (
            "a.isConnected + ',' + a.contains(a) + ',' + (a.compareDocumentPosition(document) & 1)",
            "false,true,1",
        ),
        (
            "a.className = 'x y'; a.classList.add('z'); a.classList.remove('x'); a.classList.value + a.classList.length",
            "y z2",
        ),
        (
            "a.setAttribute('onclick', 'this.clicked = event.type'); a.click(); a.clicked",
            "click",
        ),
        (
            "const t = document.createElement('template'); t.innerHTML = '<td>1</td>'; t.content.firstChild.tagName + t.childNodes.length",
            "TD0",
        ),
        (
            "document.body.append(document.createElement('main')); document.body.lastElementChild.insertAdjacentHTML('afterend', '<p class=q>'); document.getElementsByClassName('q')[0].previousElementSibling.localName",
            "main",
        ),
    ] {
        assert_eq!(window.evaluate(script).as_deref(), Ok(expected), "{script}");
    }
    window.close();
}

#[test]
fn lists_of_nodes_are_like_arrays() {
    let site = Site::page("<body><hr><main class=q></main><p>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    for (script, expected) in [
        (
            "const found = document.querySelectorAll('*'); const children = document.body.children; \
             [found.length, children[0] === document.body.firstChild, children[3], 2 in children].join()",
            "6,true,,true",
        ),
        (
            "[Object.keys(children), Object.getOwnPropertyNames(found).length, children.x = 1].join()",
            "0,1,2,6,1",
        ),
        (
            "delete children[0], children[0] = 1, children[0].tagName",
            "HR",
        ),
        (
            "found[Symbol.iterator] === Array.prototype.values && 'forEach' in children",
            "false",
        ),
        (
            "[...document.body.lastChild.classList, ...children[1].classList].join()",
            "q",
        ),
        (
            "[...found.entries()].at(-1)[0] + children.namedItem('none')",
            "5",
        ),
        (
            "const live = document.getElementsByTagName('u'); document.body.append(document.createElement('u')); live.length + live.item(0).tagName",
            "1U",
        ),
        (
            "let seen = []; document.body.childNodes.forEach(node => seen.push(node.nodeName)); seen.join()",
            "HR,MAIN,P,U",
        ),
        (
            "document.body.childNodes[Symbol('0')] + '' + (Symbol('0') in document.body.childNodes)",
            "undefinedfalse",
        ),
        (
            "const defined = index => Reflect.defineProperty(document.body.childNodes, index, { value: 1, configurable: true }); [defined(0), defined(99), defined('own'), document.body.childNodes[99]].join()",
            "false,false,true,",
        ),
        (
            "let refused = ''; try { Object.defineProperty(document.body.childNodes, 7, { value: 1 }) } catch (error) { refused = error.name } refused",
            "TypeError",
        ),
        (
            "[...document.body.children].length + Array.from(document.body.children).at(-1).localName",
            "4u",
        ),
    ] {
        assert_eq!(window.evaluate(script).as_deref(), Ok(expected), "{script}");
    }
    window.close();
}

#[test]
fn events_go_from_the_window_to_the_target_and_back() {
    let site = Site::page("<body><div><p><b id=b></b></p></div>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    let script = "
        const log = [];
        for (const [name, target] of [['window', window], ['document', document],
                ['body', document.body], ['b', document.getElementById('b')]])
            for (const capture of [true, false])
                target.addEventListener('x', event => log.push(name + event.eventPhase), capture);
        document.getElementById('b').dispatchEvent(new Event('x', { bubbles: true }));
        log.join(' ')";
    assert_eq!(
        window.text(script),
        "window1 document1 body1 b2 b2 body3 document3 window3"
    );
    window.close();
}

#[test]
fn nodes_that_nobody_refers_to_are_freed() {
    let site = Site::page("<body><ul id=list></ul>");
    let mut browser = Browser::new();
    browser.services.limits.memory_limit = 5 << 20;
    let window = browser.load(site.url("/"));
    window.text(
        "const list = document.getElementById('list'), kept = [];
         function render(keep) {
             for (let round = 0; round < 60; round++) {
                 list.innerHTML = '';
                 for (let item = 0; item < 500; item++) {
                     const li = document.createElement('li');
                     li.onclick = () => li.remove();
                     list.append(li);
                     if (keep) kept.push(li);
                 }
             }
             return list.children.length;
         }",
    );
    assert_eq!(window.text("render(false)"), "500");
    assert_eq!(window.text("render(false)"), "500");
    assert!(
        window.evaluate("render(true)").is_err(),
        "nodes that stay do not fit into the limit"
    );
    window.close();
}

#[test]
fn form_data_holds_what_the_controls_of_a_form_hold() {
    let site = Site::page(
        "<!doctype html><body><form id=form>
         <input name=text value=old><input value=nameless><input name=off value=1 disabled>
         <input type=checkbox name=box checked><input type=checkbox name=unchecked>
         <textarea name=area>a&#13;b</textarea><input type=file name=file>
         <button id=send name=send value=yes></button><button id=plain type=button name=plain></button></form>
         <button id=other></button>",
    );
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    window.text(
        "document.querySelector('[name=text]').value = 'new';
         globalThis.form = document.getElementById('form');
         globalThis.list = data => [...data].filter(([name]) => name !== 'file').map(([name, value]) => name + '=' + value).join('&');
         globalThis.attempt = id => {
             try { return list(new FormData(form, document.getElementById(id))); } catch (error) { return error.name; }
         }",
    );
    let held = "text=new&box=on&area=a\nb";
    assert_eq!(window.text("list(new FormData(form))"), held);
    assert_eq!(window.text("attempt('send')"), format!("{held}&send=yes"));
    assert_eq!(window.text("attempt('plain')"), "TypeError");
    assert_eq!(window.text("attempt('other')"), "NotFoundError");
    assert_eq!(
        window.text(
            "{ const file = new FormData(form).get('file'); [file.name, file.size, file.type].join() }"
        ),
        ",0,application/octet-stream"
    );
}
