//! What comes out, in words.

use sync_manager::Output;
use sync_traits::{LogEvent, SyncClientEvent};

fn describe_reply(event: &SyncClientEvent) -> String {
    match event {
        SyncClientEvent::Registered { result, .. } => match result {
            Ok(()) => "Registered".to_owned(),
            Err(error) => error.name().to_owned(),
        },
        SyncClientEvent::Unregistered { result, .. } => match result {
            Ok(()) => "Unregistered".to_owned(),
            Err(error) => error.name().to_owned(),
        },
        SyncClientEvent::Tags { result, .. } => {
            format!("Tags({})", result.as_ref().map_or(0, Vec::len))
        }
    }
}

/// An output in words.
pub(crate) fn describe(output: &Output) -> String {
    match output {
        Output::Commit { .. } => "Commit".to_owned(),
        Output::Reply { event, .. } => describe_reply(event),
        Output::ConfirmDispatch { .. } => "ConfirmDispatch".to_owned(),
        Output::AwaitOrigin { awaited: true, .. } => "await origin".to_owned(),
        Output::AwaitOrigin { awaited: false, .. } => "await origin no more".to_owned(),
        Output::Dispatch {
            tag, last_chance, ..
        } => {
            format!(
                "Dispatch({tag}{})",
                if *last_chance { ", last chance" } else { "" }
            )
        }
        Output::Log(entry) => match &entry.event {
            LogEvent::Registered => "log: registered".to_owned(),
            LogEvent::Reregistered { found } => format!("log: reregistered when {found}"),
            LogEvent::Held { reason } => format!("log: held, {reason}"),
            LogEvent::Dispatched {
                attempt,
                last_chance,
            } => {
                let last = if *last_chance { ", the last" } else { "" };
                format!("log: attempt {attempt}{last}")
            }
            LogEvent::Finished {
                outcome, counted, ..
            } => {
                let outcome = format!("{outcome:?}");
                let outcome = outcome.split(' ').next().unwrap_or_default();
                format!(
                    "log: {outcome}{}",
                    if *counted { "" } else { ", not counted" }
                )
            }
            LogEvent::RetryScheduled { .. } => "log: retry scheduled".to_owned(),
            LogEvent::Interrupted { attempt } => format!("log: attempt {attempt} interrupted"),
            LogEvent::Completed => "log: completed".to_owned(),
            LogEvent::Dropped { reason } => format!("log: dropped, {reason}"),
        },
        Output::StoreFailed { .. } => "StoreFailed".to_owned(),
        Output::Exited => "Exited".to_owned(),
    }
}
