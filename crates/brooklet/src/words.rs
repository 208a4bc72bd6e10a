//! Command lines of our own commands: options as `lexopt` cuts them, refusals in our words.

use crate::Failure;
use lexopt::{Arg, Parser, ValueExt};

/// The words after a command.
pub(crate) struct Words {
    command: &'static str,
    help: &'static str,
    parser: Parser,
    /// The option that came last, with its dashes.
    option: String,
}

/// What comes next on a command line.
pub(crate) enum Word {
    /// An option, with its dashes.
    Option(String),
    /// Anything else.
    Name(String),
}

/// How reading a command line ends before its end.
pub(crate) enum Stop {
    /// It asks for help, which has been given.
    Helped,
    /// It is wrong.
    Refused(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Refused(failure)
    }
}

impl Words {
    /// The words after `command`, whose `--help` is `help`.
    pub(crate) fn new(command: &'static str, help: &'static str, words: &[String]) -> Words {
        Words {
            command,
            help,
            parser: Parser::from_args(words),
            option: String::new(),
        }
    }

    /// The next word; `--help` is answered here.
    pub(crate) fn next(&mut self) -> Result<Option<Word>, Stop> {
        let word = match self.parser.next() {
            Ok(None) => return Ok(None),
            Ok(Some(Arg::Long("help") | Arg::Short('h'))) => {
                print!("{}", self.help);
                return Err(Stop::Helped);
            }
            Ok(Some(Arg::Long(name))) => Word::Option(format!("--{name}")),
            Ok(Some(Arg::Short(letter))) => Word::Option(format!("-{letter}")),
            Ok(Some(Arg::Value(word))) => Word::Name(word.to_string_lossy().into_owned()),
            Err(why) => return Err(self.refuse(&why.to_string())),
        };
        if let Word::Option(option) = &word {
            self.option.clone_from(option);
        }
        Ok(Some(word))
    }

    /// The value of the option that came last.
    pub(crate) fn value(&mut self, what: &str) -> Result<String, Stop> {
        let value = self.parser.value().and_then(ValueExt::string);
        value.map_err(|_| self.refuse(&format!("{} needs {what}", self.option)))
    }

    /// What is said to an option that the command does not have.
    pub(crate) fn unknown(&self, option: &str) -> Stop {
        self.refuse(&format!("{} has no option {option}", self.command))
    }

    /// Refuses the command line, and says where to read more.
    pub(crate) fn refuse(&self, why: &str) -> Stop {
        let command = self.command;
        Stop::Refused(Failure::Usage(format!(
            "{why}; `brooklet {command} --help` lists all"
        )))
    }
}
