// META: global=window,worker
// META: title=Interfaces of DOM and HTML that service workers build on
// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// META: timeout=long

// The specifications have many more interfaces; these are the ones in question here.
const wanted = {
  dom: ["AbortController", "AbortSignal", "CustomEvent", "CustomEventInit", "Event", "EventInit",
    "EventTarget"],
  html: ["AbstractWorker", "BroadcastChannel", "DedicatedWorkerGlobalScope", "ErrorEvent",
    "ErrorEventInit", "HashChangeEvent", "HashChangeEventInit", "History", "Location",
    "MessageChannel", "MessageEvent", "MessageEventInit", "MessageEventTarget", "MessagePort",
    "NavigatorConcurrentHardware", "NavigatorID", "NavigatorLanguage", "NavigatorOnLine",
    "PopStateEvent", "PopStateEventInit", "PromiseRejectionEvent", "PromiseRejectionEventInit",
    "SharedWorker", "SharedWorkerGlobalScope", "SharedWorkerOptions",
    "StructuredSerializeOptions", "WindowOrWorkerGlobalScope", "Worker", "WorkerGlobalScope",
    "WorkerLocation", "WorkerNavigator", "WorkerOptions"],
  url: ["URL", "URLSearchParams"],
};
// What those refer to.
const needed = {
  html: ["AnimationFrameProvider", "EventHandler", "EventHandlerNonNull", "GlobalEventHandlers",
    "Navigator", "NavigatorContentUtils", "NavigatorCookies", "NavigatorPlugins",
    "OnErrorEventHandler", "OnErrorEventHandlerNonNull", "ScrollRestoration", "Window",
    "WindowEventHandlers", "WindowLocalStorage", "WindowSessionStorage"],
};

promise_test(async () => {
  const specs = Object.keys(wanted);
  const texts = await Promise.all(specs.map(spec => fetch_spec(spec)));
  const idl = new IdlArray();
  for (const { spec, idl: text } of texts) {
    idl.add_idls(text, { only: wanted[spec] });
    idl.add_untested_idls(text, { only: needed[spec] || [] });
  }
  idl.add_objects({
    AbortController: ["new AbortController()"],
    AbortSignal: ["new AbortController().signal"],
    BroadcastChannel: ["new BroadcastChannel('name')"],
    CustomEvent: ["new CustomEvent('type')"],
    ErrorEvent: ["new ErrorEvent('type')"],
    Event: ["new Event('type')"],
    EventTarget: ["new EventTarget()"],
    MessageChannel: ["new MessageChannel()"],
    MessageEvent: ["new MessageEvent('type')"],
    MessagePort: ["new MessageChannel().port1"],
    URL: ["new URL('https://example.org')"],
    URLSearchParams: ["new URLSearchParams()"],
    ...("WorkerLocation" in self && {
      WorkerLocation: ["location"],
      WorkerNavigator: ["navigator"],
    }),
    ...("Window" in self && {
      HashChangeEvent: ["new HashChangeEvent('type')"],
      History: ["history"],
      Location: ["location"],
      Navigator: ["navigator"],
      PopStateEvent: ["new PopStateEvent('type')"],
      SharedWorker: ["new SharedWorker('resources/empty-worker.js')"],
    }),
    ...("Worker" in self && { Worker: ["new Worker('resources/empty-worker.js')"] }),
  });
  idl.test();
}, "setup");
