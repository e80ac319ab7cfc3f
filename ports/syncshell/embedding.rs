//! The engine with QuickJS in it, as every command that runs sites starts it.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use base::channel::{Callback, bounded};
use base::time::Clock;
use engine::{Builder, Engine};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use script::{
    EventLoops, ScriptLimits, ScriptReport, ServiceWorkerThreads, ServiceWorkerWindows, Services,
    UserAgent,
};

use crate::clock::SystemClock;

/// Start an engine whose service workers run on QuickJS; with what windows need. `windows` may let
/// service workers open windows.
pub(crate) fn start(
    builder: Builder,
    clock: Arc<dyn Clock>,
    report: Callback<ScriptReport>,
    mut limits: ScriptLimits,
    windows: impl FnOnce(ServiceWorkerWindows) -> ServiceWorkerWindows,
) -> Result<(Engine, Services), String> {
    limits.processors = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut services = None;
    let user_agent = UserAgent::default();
    let engine = builder
        .window_host(Box::new(windows(ServiceWorkerWindows::new(&user_agent))))
        .start(|handles| {
            let bundle = Services {
                service_workers: handles.service_workers.clone(),
                sync: handles.sync.clone(),
                net: handles.net.clone(),
                caches: handles.caches.clone(),
                indexed_db: handles.indexed_db.clone(),
                network: handles.network.clone(),
                permissions: Arc::new(handles.permissions.clone()),
                clock,
                limit_clock: Arc::new(SystemClock::new()),
                event_loops: EventLoops::default(),
                user_agent,
                report,
                limits,
            };
            services = Some(bundle.clone());
            Box::new(ServiceWorkerThreads::new(bundle))
        })
        .map_err(|error| error.to_string())?;
    let services = services.ok_or("the engine asked for no worker host")?;
    Ok((engine, services))
}

/// The certificates of a PEM file, in DER form.
pub(crate) fn read_certificates(file: &Path) -> Result<Vec<Vec<u8>>, String> {
    let unusable = |reason: &dyn fmt::Display| {
        format!(
            "cannot use the certificates in {}: {reason}",
            file.display()
        )
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(&error))?;
    if certificates.is_empty() {
        return Err(unusable(&"there is none"));
    }
    Ok(certificates
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

/// Wait for the one answer to a question. Nothing when nobody is there to answer it.
pub(crate) fn ask<T: Send + 'static>(question: impl FnOnce(Callback<T>)) -> Option<T> {
    let (sender, answer) = bounded(1);
    question(Callback::to_sender(&sender, |answer| answer));
    drop(sender);
    answer.recv().ok()
}
