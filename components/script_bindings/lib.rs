//! Web IDL files and the generator that turns them into bindings.
//!
//! `script`'s build script hands every file of `webidls/` to [`generate`], and compiles the Rust
//! source that comes back. The source holds, for each interface, a trait with typed and converted
//! arguments that the DOM struct implements, the glue between that trait and the engine, and a
//! static descriptor from which one builder makes constructors and prototypes.
//!
//! What the generator does not support fails the build with a message that names the file and the
//! member: nothing is skipped silently.
//!
//! - `model`: the definitions, merged (partials, mixins) and without syntax;
//! - `parse`: Web IDL text to the model;
//! - `types`: how a Web IDL type is written, converted and chosen in Rust;
//! - `values`: dictionaries, enumerations, unions, callbacks;
//! - `interfaces`: interfaces, namespaces, descriptors.

#![allow(
    clippy::format_collect,
    reason = "speed does not matter in a build script"
)]

mod interfaces;
mod model;
mod names;
mod parse;
mod types;
mod values;

use std::fmt;

pub use names::{snake_case, type_name};

/// Why Web IDL could not be turned into bindings. The text names the file or definition at fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error(String);

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// One Web IDL file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What to call the file in errors.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Generates the Rust source of the bindings for all definitions of `sources`.
///
/// # Errors
///
/// Text that is not Web IDL, a reference to something undefined, and everything the generator has
/// no support for.
pub fn generate(sources: &[Source<'_>]) -> Result<String, Error> {
    let definitions = parse::parse(sources)?;
    let mut output = String::from("// Generated from Web IDL by script_bindings.\n\n");
    let mut types = types::Types::new(&definitions);
    output.push_str(&interfaces::emit(&definitions, &mut types)?);
    output.push_str(&values::emit(&definitions, &mut types)?);
    Ok(output)
}
