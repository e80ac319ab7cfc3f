//! `registration.periodicSync`, as pages see it.

use super::pages::{REGISTER, Site};

#[test]
fn a_page_may_register_a_periodic_sync_only_with_permission() {
    let site = Site::new("");
    let result = site.page(&format!(
        "{REGISTER} await container.ready;
         await registration.periodicSync.register('news', {{ minInterval: 1000 }})"
    ));
    assert!(result.starts_with("NotAllowedError"), "{result}");
}

#[test]
fn the_arguments_are_converted_before_anything_is_asked() {
    let site = Site::new("");
    for interval in ["-1", "NaN", "Infinity", "2 ** 53", "{ }", "Symbol()"] {
        let result = site.page(&format!(
            "{REGISTER} await container.ready;
             const promise = registration.periodicSync.register('x', {{ minInterval: {interval} }});
             return await promise.then(() => 'registered', e => e.constructor.name)"
        ));
        assert_eq!(result, "TypeError", "{interval}");
    }
    let result = site.page(&format!(
        "{REGISTER} await container.ready;
         const {{ periodicSync }} = registration, name = e => e.name;
         return [periodicSync === registration.periodicSync,
           periodicSync instanceof PeriodicSyncManager, periodicSync.register.length,
           periodicSync.unregister.length, await periodicSync.register().catch(name),
           await periodicSync.unregister().catch(name), await periodicSync.register('x', 5).catch(name),
           (await periodicSync.getTags()).length, await periodicSync.unregister('none')].join()"
    ));
    assert_eq!(result, "true,true,1,1,TypeError,TypeError,TypeError,0,");
}
