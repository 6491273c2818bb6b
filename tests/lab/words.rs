//! What a mail's subject says, in both languages.

use crate::mailbox::Mail;

/// The tone of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Warning,
    Critical,
    Recovered,
    Other,
}

/// Read off the word in brackets at the beginning of the subject.
pub(crate) fn tone(mail: &Mail) -> Tone {
    let subject = mail.subject();
    let word = subject
        .trim_start_matches("Re: ")
        .split(']')
        .next()
        .unwrap_or("")
        .trim_start_matches('[')
        .to_uppercase();
    match () {
        () if ["復旧", "RECOVERED", "回復"].iter().any(|w| word.contains(w)) => Tone::Recovered,
        () if ["警告", "CRITICAL"].iter().any(|w| word.contains(w)) => Tone::Critical,
        () if ["注意", "WARNING"].iter().any(|w| word.contains(w)) => Tone::Warning,
        () => Tone::Other,
    }
}

/// One line a mail.
pub(crate) fn list<'a>(mails: impl IntoIterator<Item = &'a Mail>) -> String {
    let lines: Vec<String> = mails.into_iter().map(|m| format!("\n      {}", m.brief())).collect();
    if lines.is_empty() {
        "none".to_owned()
    } else {
        lines.concat()
    }
}
