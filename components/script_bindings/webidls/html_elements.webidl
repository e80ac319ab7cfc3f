// https://html.spec.whatwg.org/multipage/dom.html
// https://html.spec.whatwg.org/multipage/semantics.html

// Those that a document without layout, pointer and media can have.
interface mixin GlobalEventHandlers {
  attribute EventHandler onabort;
  attribute EventHandler onblur;
  attribute EventHandler oncancel;
  attribute EventHandler onchange;
  attribute EventHandler onclick;
  attribute EventHandler onclose;
  attribute OnErrorEventHandler onerror;
  attribute EventHandler onfocus;
  attribute EventHandler onformdata;
  attribute EventHandler oninput;
  attribute EventHandler oninvalid;
  attribute EventHandler onkeydown;
  attribute EventHandler onkeyup;
  attribute EventHandler onload;
  attribute EventHandler onreset;
  attribute EventHandler onselect;
  attribute EventHandler onsubmit;
};

[Exposed=Window]
interface HTMLElement : Element {
  attribute DOMString title;
  attribute DOMString lang;
  attribute DOMString dir;
  attribute boolean hidden;
  attribute DOMString innerText;
  undefined click();
  undefined focus();
  undefined blur();
};
HTMLElement includes GlobalEventHandlers;

[Exposed=Window]
interface HTMLUnknownElement : HTMLElement {
};

[Exposed=Window]
interface HTMLBodyElement : HTMLElement {
};

[Exposed=Window]
interface HTMLAnchorElement : HTMLElement {
  stringifier attribute USVString href;
  readonly attribute USVString origin;
  attribute USVString protocol;
  attribute USVString username;
  attribute USVString password;
  attribute USVString host;
  attribute USVString hostname;
  attribute USVString port;
  attribute USVString pathname;
  attribute USVString search;
  attribute USVString hash;
  attribute DOMString target;
  attribute DOMString download;
  attribute DOMString rel;
  attribute DOMString? text;
};

[Exposed=Window]
interface HTMLBaseElement : HTMLElement {
  attribute USVString href;
  attribute DOMString target;
};

[Exposed=Window]
interface HTMLLinkElement : HTMLElement {
  attribute USVString href;
  attribute DOMString rel;
  attribute DOMString type;
};

[Exposed=Window]
interface HTMLMetaElement : HTMLElement {
  attribute DOMString name;
  attribute DOMString httpEquiv;
  attribute DOMString content;
};

// https://html.spec.whatwg.org/multipage/iframe-embed-object.html#htmliframeelement
[Exposed=Window]
interface HTMLIFrameElement : HTMLElement {
  attribute USVString src;
  attribute DOMString srcdoc;
  attribute DOMString name;
  [PutForwards=value, Throws] readonly attribute DOMTokenList sandbox;
  attribute DOMString allow;
  attribute DOMString width;
  attribute DOMString height;
  [Throws] readonly attribute Document? contentDocument;
  readonly attribute any contentWindow;
};

[Exposed=Window]
interface HTMLScriptElement : HTMLElement {
  attribute DOMString type;
  attribute USVString src;
  attribute boolean noModule;
  attribute boolean async;
  attribute boolean defer;
  attribute DOMString text;
};

[Exposed=Window]
interface HTMLTemplateElement : HTMLElement {
  [Throws] readonly attribute DocumentFragment content;
};

[Exposed=Window]
interface HTMLFormElement : HTMLElement {
  attribute USVString action;
  attribute DOMString method;
  attribute DOMString name;
  [Throws] readonly attribute HTMLCollection elements;
  readonly attribute unsigned long length;
  attribute DOMString target;
  undefined submit();
  undefined requestSubmit(optional HTMLElement? submitter = null);
  undefined reset();
};

[Exposed=Window]
interface HTMLInputElement : HTMLElement {
  attribute boolean defaultChecked;
  attribute boolean checked;
  attribute boolean disabled;
  [Throws] readonly attribute HTMLFormElement? form;
  attribute DOMString name;
  attribute DOMString placeholder;
  attribute boolean readOnly;
  attribute boolean required;
  attribute DOMString type;
  attribute DOMString defaultValue;
  attribute DOMString? value;
};

[Exposed=Window]
interface HTMLTextAreaElement : HTMLElement {
  attribute boolean disabled;
  [Throws] readonly attribute HTMLFormElement? form;
  attribute DOMString name;
  attribute DOMString placeholder;
  attribute boolean readOnly;
  attribute boolean required;
  readonly attribute DOMString type;
  attribute DOMString defaultValue;
  attribute DOMString? value;
  readonly attribute unsigned long textLength;
};

[Exposed=Window]
interface HTMLButtonElement : HTMLElement {
  attribute boolean disabled;
  [Throws] readonly attribute HTMLFormElement? form;
  attribute DOMString name;
  attribute DOMString type;
  attribute DOMString value;
};

[Exposed=Window]
interface HTMLOutputElement : HTMLElement {
  [Throws] readonly attribute HTMLFormElement? form;
  attribute DOMString name;
  readonly attribute DOMString type;
  attribute DOMString defaultValue;
  attribute DOMString value;
};
