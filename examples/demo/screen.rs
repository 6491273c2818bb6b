//! What the terminal shows: headlines, mails in a frame, one line that says what is being waited for.

use super::relay::Mail;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Columns of a frame.
const WIDTH: usize = 96;

/// The terminal.
pub(crate) struct Screen {
    terminal: bool,
    colour: bool,
    japanese: bool,
    begun: Instant,
    /// The waiting line stands on the screen.
    waiting: bool,
    told: Option<String>,
    /// Subject and body of the last mail.
    last: (String, String),
}

/// Something to say, in English and Japanese.
pub(crate) type Words = (&'static str, &'static str);

impl Screen {
    pub(crate) fn new(japanese: bool) -> Screen {
        let terminal = std::io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Screen {
            terminal,
            colour,
            japanese,
            begun: Instant::now(),
            waiting: false,
            told: None,
            last: Default::default(),
        }
    }

    pub(crate) fn say(&self, words: Words) -> &'static str {
        if self.japanese { words.1 } else { words.0 }
    }

    /// A new act.
    pub(crate) fn headline(&mut self, words: Words) {
        let text = self.say(words);
        let line = "═".repeat(WIDTH.saturating_sub(width(text) + 4));
        let at = self.begun.elapsed().as_secs();
        self.print(&format!("\n{}\n", self.paint("1", &format!("══ {text} {line} {at} s"))));
    }

    /// A sentence of the story.
    pub(crate) fn tell(&mut self, words: Words) {
        let text = self.say(words);
        self.print(&format!("   {text}\n"));
    }

    /// A line that is the same in all languages.
    pub(crate) fn plain(&mut self, text: &str) {
        self.print(&format!("   {text}\n"));
    }

    pub(crate) fn good(&mut self, text: &str) {
        self.print(&format!("   {}\n", self.paint("32", &format!("✓ {text}"))));
    }

    pub(crate) fn bad(&mut self, text: &str) {
        self.print(&format!("   {}\n", self.paint("31", &format!("✗ {text}"))));
    }

    /// A mail as its receiver sees it.
    pub(crate) fn mail(&mut self, mail: &Mail, route: &str) {
        let subject = mail.subject();
        let colour = match subject.split(']').next().unwrap_or("") {
            "[CRITICAL" | "[警告" => "31",
            "[WARNING" | "[注意" => "33",
            _ => "32",
        };
        let over = self.say(("over", "経路"));
        let seconds = self.begun.elapsed().as_secs_f64();
        let head = format!("✉ {} · {over} {route} · {seconds:.1} s", mail.to.join(", "));
        let rule = "─".repeat(WIDTH.saturating_sub(width(&head) + 4));
        let mut out = format!("\n   {}\n", self.paint(colour, &format!("┌ {head} {rule}")));
        let edge = self.paint(colour, "│");
        let shown = (subject, mail.body());
        let mut lines = vec![self.paint("1", &shown.0)];
        if shown == self.last {
            lines.push(self.say(("(the same text)", "(同文)")).to_owned());
        } else {
            lines.push(String::new());
            lines.extend(shown.1.trim_end().lines().flat_map(|l| wrap(l, WIDTH - 4)));
        }
        for line in lines {
            out.push_str(format!("   {edge} {line}").trim_end());
            out.push('\n');
        }
        let foot = format!("└{}", "─".repeat(WIDTH - 3));
        out.push_str(&format!("   {}\n\n", self.paint(colour, &foot)));
        self.last = shown;
        self.print(&out);
    }

    /// What is being waited for. On a terminal it moves, elsewhere it is said once.
    pub(crate) fn waiting(&mut self, what: &str, since: Duration, state: &str) {
        if !self.terminal {
            if self.told.as_deref() != Some(what) {
                println!("   … {what}");
                self.told = Some(what.to_owned());
            }
            return;
        }
        let wheel = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
        let turn = wheel[(since.as_millis() / 100) as usize % wheel.len()];
        let line = wrap(&format!("{turn} {what}  {} s {state}", since.as_secs()), WIDTH).swap_remove(0);
        print!("\r\x1b[2K   {line}");
        let _ = std::io::stdout().flush();
        self.waiting = true;
    }

    /// Takes the waiting line away.
    pub(crate) fn clear(&mut self) {
        if self.waiting {
            print!("\r\x1b[2K");
            self.waiting = false;
        }
        let _ = std::io::stdout().flush();
    }

    fn print(&mut self, text: &str) {
        self.clear();
        print!("{text}");
        let _ = std::io::stdout().flush();
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Columns of a text: kana, kanji and full-width signs take two.
fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => 2,
        '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' => 2,
        _ => 1,
    }
}

/// Breaks a line where the frame ends, at a space if there is one near.
fn wrap(line: &str, columns_max: usize) -> Vec<String> {
    let (mut lines, mut now) = (Vec::new(), String::new());
    for c in line.chars() {
        if width(&now) + columns(c) > columns_max {
            let cut = now
                .rfind(' ')
                .filter(|at| width(&now[*at..]) < 24)
                .map_or(now.len(), |at| at + 1);
            let rest = now.split_off(cut);
            lines.push(std::mem::replace(&mut now, format!("  {rest}")));
        }
        now.push(c);
    }
    lines.push(now);
    lines
}
