//! What the end-to-end tests are made of: a web site on loopback, and a running shell.

mod shell;
mod site;

pub use shell::{Shell, ShellOptions};
pub use site::{Reaction, Received, Site};
