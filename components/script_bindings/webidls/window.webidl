// https://html.spec.whatwg.org/multipage/nav-history-apis.html

partial interface Window {
  [LegacyUnforgeable] readonly attribute any top;
  [Replaceable] readonly attribute any frames;
  [Replaceable] readonly attribute any parent;
  [LegacyUnforgeable, Throws] readonly attribute Document document;
  [LegacyUnforgeable, PutForwards=href, Throws] readonly attribute Location location;
  [Throws] readonly attribute History history;
  [Throws] readonly attribute Navigator navigator;
  attribute DOMString name;
  readonly attribute boolean closed;
  undefined close();
  undefined stop();
  [Throws] attribute any opener;
  [Throws] readonly attribute any frameElement;
  [Replaceable] readonly attribute unsigned long length;
  any open(optional USVString url = "", optional DOMString target = "_blank", optional DOMString features = "");
  undefined focus();
  undefined blur();
  unsigned long requestAnimationFrame(FrameRequestCallback callback);
  undefined cancelAnimationFrame(unsigned long handle);
  attribute EventHandler onbeforeunload;
  attribute EventHandler onhashchange;
  attribute EventHandler onpagehide;
  attribute EventHandler onpageshow;
  attribute EventHandler onpopstate;
  attribute EventHandler onrejectionhandled;
  attribute EventHandler onunload;
};

callback FrameRequestCallback = undefined (DOMHighResTimeStamp time);
typedef double DOMHighResTimeStamp;

[Exposed=Window]
interface Location {
  [LegacyUnforgeable] stringifier attribute USVString href;
  [LegacyUnforgeable] readonly attribute USVString origin;
  [LegacyUnforgeable] attribute USVString protocol;
  [LegacyUnforgeable] attribute USVString host;
  [LegacyUnforgeable] attribute USVString hostname;
  [LegacyUnforgeable] attribute USVString port;
  [LegacyUnforgeable] attribute USVString pathname;
  [LegacyUnforgeable] attribute USVString search;
  [LegacyUnforgeable] attribute USVString hash;
  [LegacyUnforgeable] undefined assign(USVString url);
  [LegacyUnforgeable] undefined replace(USVString url);
  [LegacyUnforgeable] undefined reload();
  [LegacyUnforgeable, SameObject, Throws] readonly attribute DOMStringList ancestorOrigins;
};

[Exposed=Window]
interface History {
  [Throws] readonly attribute unsigned long length;
  [Throws] attribute ScrollRestoration scrollRestoration;
  [Throws] readonly attribute any state;
  undefined go(optional long delta = 0);
  undefined back();
  undefined forward();
  undefined pushState(any data, DOMString unused, optional USVString? url = null);
  undefined replaceState(any data, DOMString unused, optional USVString? url = null);
};

enum ScrollRestoration {
  "auto",
  "manual"
};

[Exposed=Window]
interface PopStateEvent : Event {
  constructor(DOMString type, optional PopStateEventInit eventInitDict = {});
  readonly attribute any state;
  readonly attribute boolean hasUAVisualTransition;
};

dictionary PopStateEventInit : EventInit {
  any state = null;
  boolean hasUAVisualTransition = false;
};

[Exposed=Window]
interface HashChangeEvent : Event {
  constructor(DOMString type, optional HashChangeEventInit eventInitDict = {});
  readonly attribute USVString oldURL;
  readonly attribute USVString newURL;
};

dictionary HashChangeEventInit : EventInit {
  USVString oldURL = "";
  USVString newURL = "";
};

[Exposed=Window]
interface PageTransitionEvent : Event {
  constructor(DOMString type, optional PageTransitionEventInit eventInitDict = {});
  readonly attribute boolean persisted;
};

dictionary PageTransitionEventInit : EventInit {
  boolean persisted = false;
};

// https://html.spec.whatwg.org/multipage/system-state.html#the-navigator-object
[Exposed=Window]
interface Navigator {
};
Navigator includes NavigatorID;
Navigator includes NavigatorLanguage;
Navigator includes NavigatorOnLine;
Navigator includes NavigatorServiceWorker;
Navigator includes NavigatorConcurrentHardware;

// https://w3c.github.io/beacon/
partial interface Navigator {
  boolean sendBeacon(USVString url, optional BodyInit? data = null);
};
