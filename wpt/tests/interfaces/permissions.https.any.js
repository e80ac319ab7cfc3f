// META: global=window,worker
// META: title=Interfaces of Permissions
// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// META: timeout=long

idl_test(["permissions"], ["dom", "html"], async idl => {
  self.status = await navigator.permissions.query({ name: "background-sync" });
  const navigator_ = "WorkerNavigator" in self ? "WorkerNavigator" : "Navigator";
  idl.add_objects({
    [navigator_]: ["navigator"],
    Permissions: ["navigator.permissions"],
    PermissionStatus: ["self.status"],
  });
});
