//! What lies outside of a configuration's text: a secret is the name of its variable, every file is empty.

use hinomi::config::{Found, NotFound, SecretFrom, SourceFile, Surroundings};
use hinomi::model::Secret;
use std::path::Path;

pub struct Dummy;

impl Surroundings for Dummy {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        let name = match from {
            SecretFrom::Env(name) => name.as_str(),
            _ => "s3cret-password",
        };
        Ok(Found {
            secret: Some(Secret::new(name)),
            doubt: None,
        })
    }

    fn table(&self, _: &Path) -> Result<String, NotFound> {
        Ok(String::new())
    }

    fn certificates(&self, _: &Path) -> Result<(), NotFound> {
        Ok(())
    }

    fn profiles(&self, _: &Path) -> Result<Vec<SourceFile>, NotFound> {
        Ok(Vec::new())
    }
}
