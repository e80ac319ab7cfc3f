// https://html.spec.whatwg.org/multipage/comms.html#the-messageevent-interface
// There are no message ports yet: `ports` is an empty frozen array.

[Exposed=(Window,Worker)]
interface MessageEvent : Event {
  constructor(DOMString type, optional MessageEventInit eventInitDict = {});
  readonly attribute any data;
  readonly attribute USVString origin;
  readonly attribute DOMString lastEventId;
  readonly attribute (Window or ServiceWorker)? source;
  readonly attribute any ports;
  undefined initMessageEvent(DOMString type, optional boolean bubbles = false, optional boolean cancelable = false, optional any data = null, optional USVString origin = "", optional DOMString lastEventId = "", optional (Window or ServiceWorker)? source = null);
};

dictionary MessageEventInit : EventInit {
  any data = null;
  USVString origin = "";
  DOMString lastEventId = "";
  (Window or ServiceWorker)? source = null;
};
