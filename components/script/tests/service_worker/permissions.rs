//! What pages and workers learn about permissions.

use base::StorageKey;
use base::channel::{Callback, bounded};
use script::ScriptReport;
use sync_traits::{PermissionName, PermissionState};
use url::Url;

use super::host::take;
use super::pages::{REGISTER, Site};

impl Site {
    fn decide(&self, name: PermissionName, state: PermissionState) {
        let key = StorageKey::from_url(&Url::parse(&self.address).unwrap()).unwrap();
        let (sender, done) = bounded(1);
        let permissions = self.engine.as_ref().unwrap().permissions();
        permissions.set(&key, name, state, Callback::to_sender(&sender, |it| it));
        assert_eq!(take(&done), Ok(()));
    }

    /// What a script logs next.
    fn logged(&self) -> String {
        loop {
            if let ScriptReport::Console { message, .. } = take(&self.reports) {
                return message.text;
            }
        }
    }
}

#[test]
fn a_permission_is_queried_by_its_name() {
    let site = Site::new("");
    let result = site.page(
        "const show = s => s.name + ' ' + s.state;
         const one = await navigator.permissions.query({ name: 'background-sync' });
         const other = await navigator.permissions.query({ name: 'periodic-background-sync', x: 1 });
         const missing = await navigator.permissions.query({ name: 'geolocation' });
         return [show(one), show(other), show(missing), one instanceof PermissionStatus, one instanceof EventTarget,
           one.onchange, navigator.permissions === navigator.permissions,
           navigator.permissions instanceof Permissions].join()",
    );
    assert_eq!(
        result,
        "background-sync granted,periodic-background-sync denied,geolocation denied,true,true,,true,true"
    );
}

#[test]
fn a_query_for_something_else_is_rejected_with_a_type_error() {
    let site = Site::new("");
    for query in [
        "{ name: 'midi' }",
        "{ name: 'Background-Sync' }",
        "{ name: undefined }",
        "{}",
        "'background-sync'",
        "null",
        "",
    ] {
        let result = site.page(&format!(
            "const promise = navigator.permissions.query({query});
             return await promise.then(() => 'found', e => e.constructor.name)"
        ));
        assert_eq!(result, "TypeError", "{query}");
    }
}

#[test]
fn a_page_hears_of_a_change_even_if_it_keeps_nothing() {
    let site = Site::new("");
    site.page(
        "const query = name => navigator.permissions.query({ name });
         self.silent = await query('periodic-background-sync');
         (await query('periodic-background-sync')).onchange = e =>
           console.log(e.type, e.isTrusted, e.target.state, silent.state);
         (await query('background-sync')).addEventListener('change', e => console.log('other'));
         (await query('periodic-background-sync')).addEventListener('change',
           () => console.log('once'), { once: true });",
    );
    let name = PermissionName::PeriodicBackgroundSync;
    site.decide(name, PermissionState::Granted);
    assert_eq!(site.logged(), "change true granted granted");
    assert_eq!(site.logged(), "once");
    // Nothing changes here.
    site.decide(name, PermissionState::Granted);
    site.decide(name, PermissionState::Denied);
    assert_eq!(site.logged(), "change true denied denied");
    site.page("console.log('end')");
    assert_eq!(site.logged(), "end");
}

#[test]
fn a_worker_hears_of_a_change_too() {
    let site = Site::new(
        "onmessage = async e => {
           const status = await navigator.permissions.query({ name: 'background-sync' });
           console.log(status.state);
           status.onchange = () => console.log(status.state);
         };",
    );
    site.page(&format!(
        "{REGISTER} await container.ready; registration.active.postMessage(0);"
    ));
    assert_eq!(site.logged(), "granted");
    site.decide(PermissionName::BackgroundSync, PermissionState::Denied);
    assert_eq!(site.logged(), "denied");
    let result = site.page(
        "const registration = await navigator.serviceWorker.ready;
         await registration.sync.register('x')",
    );
    assert!(result.starts_with("NotAllowedError"), "{result}");
}
