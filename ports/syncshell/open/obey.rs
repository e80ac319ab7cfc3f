//! What a running shell does when it is told to.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use base::channel::Callback;
use base::time::Clock;
use base::{DomString, StorageKey};
use script::WindowOptions;
use sw_traits::RegistrationSnapshot;
use sync_traits::{
    PermissionName, PermissionState, SyncExplanation, SyncKind, SyncQuestion, SyncRegistrationInfo,
};
use url::Url;

use super::{Input, OFFLINE_SESSION, Shell};
use crate::command::{Command, Decision};
use crate::embedding::ask;
use crate::report::{ShellEvent, date};
use crate::why::{Answer, Situation, describe};

impl Shell {
    pub(super) fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Offline(None) => self.emulate_offline(true),
            Command::Online(None) => self.emulate_offline(false),
            Command::Offline(Some(scope)) => return self.emulate_registration_offline(scope, true),
            Command::Online(Some(scope)) => return self.emulate_registration_offline(scope, false),
            Command::Evaluate(script) => {
                let Some(window) = self.windows.last() else {
                    return self.tell(&ShellEvent::Evaluated {
                        result: None,
                        error: Some("there is no page; open one with: open URL".to_owned()),
                    });
                };
                window.evaluate(script, Callback::to_sender(&self.sender, Input::Evaluated));
            }
            Command::Open(text) => match crate::page_url(&text) {
                Ok(url) => self.open(WindowOptions::new(url)),
                Err(text) => return self.tell(&ShellEvent::Error { text }),
            },
            Command::Close => {
                for window in self.windows.drain(..) {
                    window.close();
                }
            }
            Command::Status => {
                self.ask_for_status();
                return self.tell_permissions();
            }
            Command::Why(tag) => return self.explain(&tag),
            Command::Decide(decision) => return self.decide(decision),
            Command::Advance(duration) => return self.advance(duration),
            Command::Quit => {}
        }
        Ok(())
    }

    /// Cut the network of one service worker, or end that. What follows finds it so.
    fn emulate_registration_offline(&mut self, scope: Url, offline: bool) -> io::Result<()> {
        let registrations = self.registrations();
        let registration = registrations
            .iter()
            .find(|registration| registration.registration.scope == scope);
        let Some(registration) = registration else {
            let mut text = format!("there is no service worker with the scope {scope}");
            for (index, other) in registrations.iter().enumerate() {
                text.push_str(if index == 0 { "; there are: " } else { ", " });
                text.push_str(other.registration.scope.as_str());
            }
            return self.tell(&ShellEvent::Error { text });
        };
        // A monitor that has ended says so by hanging up.
        let _ = ask(|done| {
            self.services.network.emulate_registration_offline(
                OFFLINE_SESSION,
                registration.storage_key.clone(),
                scope,
                offline,
                done,
            );
        });
        Ok(())
    }

    /// Grant or deny a permission, and go on when that is on disk.
    pub(super) fn decide(&mut self, decision: Decision) -> io::Result<()> {
        let origins = match (&decision.origin, &self.site) {
            (Some(origin), _) | (None, Some(origin)) => BTreeSet::from([origin.clone()]),
            (None, None) => self.sites(),
        };
        if origins.is_empty() {
            let word = if decision.granted { "grant" } else { "deny" };
            let text = format!(
                "there is no site yet; name an origin: {word} {} http://localhost:8000",
                decision.name
            );
            return self.tell(&ShellEvent::Error { text });
        }
        let state = if decision.granted {
            PermissionState::Granted
        } else {
            PermissionState::Denied
        };
        for origin in origins {
            let permissions = self.engine.permissions();
            let result = ask(|done| permissions.set(&origin, decision.name, state, done));
            let event = match result {
                Some(Ok(())) => permission_event(decision.name, &origin, state),
                Some(Err(error)) => ShellEvent::Error {
                    text: error.to_string(),
                },
                None => return Ok(()),
            };
            self.tell(&event)?;
        }
        Ok(())
    }

    /// Tell every permission that is not the default.
    pub(super) fn tell_permissions(&mut self) -> io::Result<()> {
        for decision in self.engine.permissions().decisions() {
            let event = permission_event(decision.name, &decision.storage_key, decision.state);
            self.tell(&event)?;
        }
        Ok(())
    }

    /// The origins of all sites that have a service worker.
    fn sites(&self) -> BTreeSet<StorageKey> {
        self.registrations()
            .into_iter()
            .map(|registration| registration.storage_key)
            .collect()
    }

    /// The service worker registrations of all sites.
    fn registrations(&self) -> Vec<RegistrationSnapshot> {
        let registrations = ask(|done| {
            // Without an answer there are none.
            let _ = self.services.service_workers.snapshot(done);
        });
        registrations.unwrap_or_default()
    }

    /// Move the clock forward, and let everybody look at it.
    fn advance(&mut self, duration: Duration) -> io::Result<()> {
        let by = self.clock.advance(duration);
        let now = self.clock.now().wall;
        self.tell(&ShellEvent::ClockAdvanced {
            by_ms: u64::try_from(by.as_millis()).unwrap_or(u64::MAX),
            now: date(now),
        })?;
        self.engine.time_changed();
        self.services.event_loops.time_changed();
        Ok(())
    }

    /// Tell why a tag has not fired, for both kinds and all scopes.
    fn explain(&mut self, tag: &str) -> io::Result<()> {
        let situation = Situation {
            now: self.clock.now().wall,
            network: &self.network,
        };
        let answers: Vec<Answer> = self
            .registrations_of(tag)
            .into_iter()
            .filter_map(|(kind, storage_key, scope)| {
                let question = SyncQuestion {
                    kind,
                    storage_key,
                    scope,
                    tag: DomString::from(tag),
                };
                ask(|done: Callback<SyncExplanation>| {
                    let _ = self.services.sync.explain(question, done);
                })
            })
            .map(|explanation| Answer::new(&explanation, &situation))
            .collect();
        let text = describe(tag, &answers, &self.denied(&answers));
        self.tell(&ShellEvent::Explanation {
            tag: tag.to_owned(),
            answers,
            text,
        })
    }

    /// The registrations with this tag that there are, and those that the event log knows of.
    fn registrations_of(&self, tag: &str) -> BTreeSet<(SyncKind, StorageKey, Url)> {
        let present = ask(|done: Callback<Vec<SyncRegistrationInfo>>| {
            let _ = self.services.sync.snapshot(done);
        });
        let present = present.unwrap_or_default().into_iter();
        let present = present.map(|info| (info.tag, (info.kind, info.storage_key, info.scope)));
        // What cannot be read cannot be told.
        let past = self.engine.sync_log().unwrap_or_default().into_iter();
        let past = past.map(|entry| (entry.tag, (entry.kind, entry.storage_key, entry.scope)));
        present
            .chain(past)
            .filter(|(found, _)| found.to_string_lossy() == tag)
            .map(|(_, registration)| registration)
            .collect()
    }

    /// The permissions that matter to the answers, and that a site lacks. What has no answer may
    /// be missing for want of either.
    fn denied(&self, answers: &[Answer]) -> Vec<(PermissionName, String)> {
        let permissions = self.engine.permissions();
        let mut denied = Vec::new();
        for origin in self.sites() {
            let name = origin.to_string();
            let of_site = |answer: &&Answer| answer.origin == name;
            let periodic = answers
                .iter()
                .filter(of_site)
                .any(|answer| answer.kind == SyncKind::Periodic.to_string());
            if !answers.is_empty() && !answers.iter().any(|answer| answer.origin == name) {
                continue;
            }
            for permission in PermissionName::ALL {
                let matters =
                    permission == PermissionName::BackgroundSync || periodic || answers.is_empty();
                if matters && permissions.state(&origin, permission) != PermissionState::Granted {
                    denied.push((permission, name.clone()));
                }
            }
        }
        denied
    }
}

fn permission_event(
    name: PermissionName,
    origin: &StorageKey,
    state: PermissionState,
) -> ShellEvent {
    ShellEvent::Permission {
        name: name.to_string(),
        origin: origin.to_string(),
        state: state.to_string(),
    }
}
