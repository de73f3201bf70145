//! The phone on a terminal: a line editor with completion and history, in a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History, MemHistory, SearchDirection};
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::command::{COMMANDS, Word, find};
use super::console::Screen;
use super::notice::Notice;

const PROMPT: &str = "sansip> ";

/// Lines of the history that are kept.
const HISTORY: usize = 1_000;

/// What the person can refer to at the moment.
#[derive(Debug, Default)]
struct Known {
    /// Numbers of calls.
    calls: Vec<u64>,
    /// URIs seen: of callers and of those called.
    targets: Vec<String>,
}

/// Completes commands, numbers of calls and URIs.
#[derive(Debug)]
struct Guide {
    known: Arc<Mutex<Known>>,
}

impl Guide {
    /// What may stand in place of the word that begins at `start`.
    fn candidates(&self, line: &str, start: usize) -> Vec<String> {
        let before: Vec<&str> = line.get(..start).unwrap_or_default().split_whitespace().collect();
        let names = || COMMANDS.iter().map(|e| e.name.to_owned()).collect();
        let Some((first, rest)) = before.split_first() else { return names() };
        let Some(entry) = find(first) else { return Vec::new() };
        let Ok(known) = self.known.lock() else { return Vec::new() };
        let calls = || known.calls.iter().map(ToString::to_string);
        match entry.words.get(rest.len()) {
            Some(Word::Call) if entry.name == "hangup" => calls().chain(["all".into()]).collect(),
            Some(Word::Call) => calls().collect(),
            Some(Word::Target) => known.targets.clone(),
            Some(Word::One(list)) => list.iter().map(|w| (*w).to_owned()).collect(),
            Some(Word::Command) => names(),
            Some(Word::Status) | None => Vec::new(),
        }
    }
}

impl Completer for Guide {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = typed.get(start..).unwrap_or_default().to_ascii_lowercase();
        let fits = self.candidates(typed, start).into_iter().filter(|c| c.starts_with(&word));
        let pairs = fits.map(|c| Pair { replacement: format!("{c} "), display: c }).collect();
        Ok((start, pairs))
    }
}

impl Hinter for Guide {
    type Hint = String;

    /// What may follow a command, while nothing does.
    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        if pos < line.len() {
            return None;
        }
        let entry = find(line.strip_suffix(' ')?)?;
        (!entry.usage.is_empty()).then(|| entry.usage.to_owned())
    }
}

impl Highlighter for Guide {
    fn highlight_hint<'h>(&self, hint: &'h str) -> std::borrow::Cow<'h, str> {
        format!("\x1b[2m{hint}\x1b[0m").into()
    }
}

impl Validator for Guide {}
impl Helper for Guide {}

/// The terminal as the phone writes to it.
pub struct Terminal {
    printer: Box<dyn ExternalPrinter + Send>,
    known: Arc<Mutex<Known>>,
    ready: Sender<()>,
    colour: bool,
}

/// The lines as they come; `None` is their end.
pub type Lines = UnboundedReceiver<Option<String>>;

/// Why there is no terminal to type at.
pub type Why = ReadlineError;

/// Begins to read lines; `None` is their end. The history is kept in `history`.
///
/// # Errors
/// The terminal cannot be used.
pub fn open(history: Option<PathBuf>) -> Result<(Terminal, Lines), Why> {
    let config = Config::builder().auto_add_history(false).build();
    let kept = MemHistory::with_config(&config);
    let mut editor: Editor<Guide, MemHistory> = Editor::with_history(config, kept)?;
    let known = Arc::new(Mutex::new(Known::default()));
    editor.set_helper(Some(Guide { known: Arc::clone(&known) }));
    if let Some(path) = &history {
        load(&mut editor, path);
    }
    let printer = Box::new(editor.create_external_printer()?);
    let (ready, wait) = channel();
    let (lines, typed) = unbounded_channel();
    std::thread::spawn(move || read(editor, history.as_deref(), &lines, &wait));
    let colour = std::env::var_os("NO_COLOR").is_none();
    Ok((Terminal { printer, known, ready, colour }, typed))
}

fn load(editor: &mut Editor<Guide, MemHistory>, path: &Path) {
    // No history yet, or none that can be read: it begins anew.
    let Ok(text) = std::fs::read_to_string(path) else { return };
    for line in text.lines() {
        let _ = editor.add_history_entry(line);
    }
}

fn save(editor: &Editor<Guide, MemHistory>, path: &Path) {
    let history = editor.history();
    let from = history.len().saturating_sub(HISTORY);
    let entry = |at| history.get(at, SearchDirection::Forward).ok().flatten();
    let lines: Vec<String> =
        (from..history.len()).filter_map(entry).map(|found| found.entry.into_owned()).collect();
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    // A history that cannot be kept is not worth a word at the end of each session.
    let _ = std::fs::write(path, lines.join("\n") + "\n");
}

fn read(
    mut editor: Editor<Guide, MemHistory>,
    history: Option<&Path>,
    lines: &UnboundedSender<Option<String>>,
    wait: &Receiver<()>,
) {
    let mut interrupted = false;
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                interrupted = false;
                if !line.trim().is_empty() {
                    let _ = editor.add_history_entry(line.as_str());
                    if let Some(path) = history {
                        save(&editor, path);
                    }
                }
                // Until the command is done the terminal is as it was before, so that leaving
                // finds it so.
                if lines.send(Some(line)).is_err() || wait.recv().is_err() {
                    return;
                }
            }
            Err(ReadlineError::Interrupted) if !interrupted => {
                interrupted = true;
                println!("once more Ctrl-C, or 'quit', to leave");
            }
            Err(_) => {
                let _ = lines.send(None);
                return;
            }
        }
    }
}

impl Screen for Terminal {
    fn notice(&mut self, notice: &Notice) {
        if let Ok(mut known) = self.known.lock() {
            known.note(notice);
        }
        self.line(&notice.line(self.colour));
    }

    fn line(&mut self, text: &str) {
        // The terminal has gone: its end is told by the reader.
        let _ = self.printer.print(format!("{text}\n"));
    }

    fn prompt(&mut self) {
        let _ = self.ready.send(());
    }
}

impl Known {
    fn note(&mut self, notice: &Notice) {
        match (notice.event, notice.call) {
            ("calling" | "incoming", Some(call)) => self.calls.push(call),
            ("ended", Some(call)) => self.calls.retain(|c| *c != call),
            _ => {}
        }
        for name in ["target", "from"] {
            if let Some(uri) = notice.field(name).filter(|uri| !self.targets.contains(uri)) {
                self.targets.push(uri);
            }
        }
    }
}

/// Where the history is kept: beside other programs' state.
#[must_use]
pub fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("sansip").join("phone_history"))
}

/// How the terminal was before: the editor may be amid a line when the phone ends.
#[derive(Debug)]
pub struct Saved {
    #[cfg(unix)]
    modes: Option<nix::sys::termios::Termios>,
}

impl Saved {
    /// As it is now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            #[cfg(unix)]
            modes: nix::sys::termios::tcgetattr(std::io::stdin()).ok(),
        }
    }

    /// Makes it so again.
    pub fn restore(&self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use nix::sys::termios::{SetArg, tcsetattr};
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, modes);
        }
    }
}
