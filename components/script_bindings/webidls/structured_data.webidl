// https://html.spec.whatwg.org/multipage/structured-data.html#structured-cloning

partial interface mixin WindowOrWorkerGlobalScope {
  any structuredClone(any value, optional StructuredSerializeOptions options = {});
};

dictionary StructuredSerializeOptions {
  sequence<object> transfer = [];
};
