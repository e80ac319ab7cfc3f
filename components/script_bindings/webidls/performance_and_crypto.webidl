// https://w3c.github.io/hr-time/
// https://w3c.github.io/webcrypto/

[Exposed=*]
interface Performance : EventTarget {
  DOMHighResTimeStamp now();
  readonly attribute DOMHighResTimeStamp timeOrigin;
  object toJSON();
};

[Exposed=*]
interface Crypto {
  ArrayBufferView getRandomValues(ArrayBufferView array);
  [SecureContext] DOMString randomUUID();
};

partial interface Window {
  [Replaceable, Throws] readonly attribute Performance performance;
  [Throws] readonly attribute Crypto crypto;
};

partial interface WorkerGlobalScope {
  [Replaceable, Throws] readonly attribute Performance performance;
  [Throws] readonly attribute Crypto crypto;
};
