// https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-window-object
// https://html.spec.whatwg.org/multipage/workers.html
// https://w3c.github.io/ServiceWorker/#serviceworkerglobalscope

[Global=Window, Exposed=Window]
interface Window : EventTarget {
  [LegacyUnforgeable] readonly attribute any window;
  [Replaceable] readonly attribute any self;
  attribute OnErrorEventHandler onerror;
  attribute EventHandler onlanguagechange;
  attribute EventHandler onload;
  attribute EventHandler onoffline;
  attribute EventHandler ononline;
  attribute EventHandler onmessage;
  attribute EventHandler onunhandledrejection;
};

[Exposed=Worker]
interface WorkerGlobalScope : EventTarget {
  readonly attribute any self;
  attribute OnErrorEventHandler onerror;
  attribute EventHandler onlanguagechange;
  attribute EventHandler onoffline;
  attribute EventHandler ononline;
  attribute EventHandler onrejectionhandled;
  attribute EventHandler onunhandledrejection;
};

[Global=(Worker,ServiceWorker), Exposed=ServiceWorker]
interface ServiceWorkerGlobalScope : WorkerGlobalScope {
};

interface mixin WindowOrWorkerGlobalScope {
  [Replaceable] readonly attribute USVString origin;
  readonly attribute boolean isSecureContext;
  readonly attribute boolean crossOriginIsolated;
  DOMString btoa(DOMString data);
  ByteString atob(DOMString data);
  long setTimeout(TimerHandler handler, optional long timeout = 0, any... arguments);
  undefined clearTimeout(optional long id = 0);
  long setInterval(TimerHandler handler, optional long timeout = 0, any... arguments);
  undefined clearInterval(optional long id = 0);
  undefined queueMicrotask(VoidFunction callback);
  undefined reportError(any e);
};
Window includes WindowOrWorkerGlobalScope;
WorkerGlobalScope includes WindowOrWorkerGlobalScope;

callback Function = any (any... arguments);
typedef (Function or DOMString) TimerHandler;

callback VoidFunction = undefined ();
