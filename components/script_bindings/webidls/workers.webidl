// https://html.spec.whatwg.org/multipage/workers.html

partial interface WorkerGlobalScope {
  [Throws] readonly attribute WorkerLocation location;
  [Throws] readonly attribute WorkerNavigator navigator;
  undefined importScripts(USVString... urls);
};

interface mixin AbstractWorker {
  attribute EventHandler onerror;
};

enum WorkerType {
  "classic",
  "module"
};

[Exposed=Worker]
interface WorkerNavigator {
};
WorkerNavigator includes NavigatorID;
WorkerNavigator includes NavigatorLanguage;
WorkerNavigator includes NavigatorOnLine;

[Exposed=Worker]
interface WorkerLocation {
  stringifier readonly attribute USVString href;
  readonly attribute USVString origin;
  readonly attribute USVString protocol;
  readonly attribute USVString host;
  readonly attribute USVString hostname;
  readonly attribute USVString port;
  readonly attribute USVString pathname;
  readonly attribute USVString search;
  readonly attribute USVString hash;
};
