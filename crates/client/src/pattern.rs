//! Regular expressions of topic names: the part of Java's that people use for that.
//!
//! Literals, `.`, `*`, `+`, `?`, `{n,m}`, `[…]`, `\d \w \s` and escapes, groups and `|`, `^` and `$`. A pattern
//! matches a whole name, as in Kafka's tools. Matching is bounded: a pattern that tries too much says no.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Steps after which a match is given up; topic names have at most 249 characters.
const MAX_STEPS: u32 = 200_000;
/// How deep groups may nest.
const MAX_DEPTH: u32 = 50;
/// The most that `{n,m}` may ask for.
const MAX_REPEAT: u32 = 1000;

/// A compiled pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    text: String,
    root: Node,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadPattern {
    /// `(` without `)`.
    OpenGroup,
    /// `)` without `(`.
    LoneParenthesis,
    /// `[` without `]`.
    OpenClass,
    /// `*`, `+`, `?` or `{` with nothing before it.
    NothingToRepeat,
    /// `{…}` that is no count.
    BadCount,
    /// A `\` at the end, or before a letter that has no meaning here.
    BadEscape,
    /// Groups nest too deep.
    TooDeep,
}

impl core::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            BadPattern::OpenGroup => "missing closing )",
            BadPattern::LoneParenthesis => "unexpected )",
            BadPattern::OpenClass => "missing closing ]",
            BadPattern::NothingToRepeat => "missing argument to repetition operator",
            BadPattern::BadCount => "invalid repeat count",
            BadPattern::BadEscape => "invalid escape sequence",
            BadPattern::TooDeep => "expression nests too deeply",
        })
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Node {
    Empty,
    Char(char),
    Any,
    Class(bool, Vec<(char, char)>),
    Start,
    End,
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat(Box<Node>, u32, u32),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Pattern, BadPattern> {
        let mut parser = Parser {
            chars: text.chars().collect(),
            at: 0,
        };
        let root = parser.either(0)?;
        if parser.at < parser.chars.len() {
            return Err(BadPattern::LoneParenthesis);
        }
        Ok(Pattern {
            text: text.into(),
            root,
        })
    }

    /// The pattern of a Kafka topic filter: commas mean "or", spaces and quotes around it do not count.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn topic_filter(text: &str) -> Result<Pattern, BadPattern> {
        let text = text.trim().replace(',', "|").replace(' ', "");
        Pattern::new(text.trim_matches(['"', '\'']))
    }

    /// The pattern's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `name` matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let chars: Vec<char> = name.chars().collect();
        let mut matcher = Matcher {
            chars: &chars,
            steps: 0,
        };
        matcher.run(&self.root, 0, &mut |_, at| at == chars.len())
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self, depth: u32) -> Result<Node, BadPattern> {
        if depth > MAX_DEPTH {
            return Err(BadPattern::TooDeep);
        }
        let mut branches = alloc::vec![self.sequence(depth)?];
        while self.eat('|') {
            branches.push(self.sequence(depth)?);
        }
        Ok(if branches.len() == 1 {
            branches.remove(0)
        } else {
            Node::Either(branches)
        })
    }

    fn sequence(&mut self, depth: u32) -> Result<Node, BadPattern> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            let atom = self.atom(depth)?;
            parts.push(self.repeats(atom)?);
        }
        Ok(if parts.is_empty() {
            Node::Empty
        } else {
            Node::Sequence(parts)
        })
    }

    fn atom(&mut self, depth: u32) -> Result<Node, BadPattern> {
        let c = self.peek().unwrap_or_default();
        self.at += 1;
        Ok(match c {
            '.' => Node::Any,
            '^' => Node::Start,
            '$' => Node::End,
            '(' => {
                if self.eat('?') {
                    self.eat(':');
                }
                let inner = self.either(depth + 1)?;
                if !self.eat(')') {
                    return Err(BadPattern::OpenGroup);
                }
                inner
            }
            '[' => self.class()?,
            '\\' => self.escape()?,
            '*' | '+' | '?' | '{' => return Err(BadPattern::NothingToRepeat),
            c => Node::Char(c),
        })
    }

    fn repeats(&mut self, mut atom: Node) -> Result<Node, BadPattern> {
        loop {
            let (least, most) = match self.peek() {
                Some('*') => (0, u32::MAX),
                Some('+') => (1, u32::MAX),
                Some('?') => (0, 1),
                Some('{') => {
                    self.at += 1;
                    let count = self.count()?;
                    atom = Node::Repeat(Box::new(atom), count.0, count.1);
                    continue;
                }
                _ => return Ok(atom),
            };
            self.at += 1;
            atom = Node::Repeat(Box::new(atom), least, most);
            // Reluctant and possessive forms match the same whole names, nearly always.
            if !self.eat('?') {
                self.eat('+');
            }
        }
    }

    fn count(&mut self) -> Result<(u32, u32), BadPattern> {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|&c| c == '}')
            .ok_or(BadPattern::BadCount)?;
        let text: String = rest.iter().take(end).collect();
        self.at += end + 1;
        let number = |text: &str| text.parse::<u32>().map_err(|_| BadPattern::BadCount);
        let (least, most) = match text.split_once(',') {
            None => (number(&text)?, number(&text)?),
            Some((least, "")) => (number(least)?, u32::MAX),
            Some((least, most)) => (number(least)?, number(most)?),
        };
        let bounded = most == u32::MAX || most <= MAX_REPEAT;
        if least > most || least > MAX_REPEAT || !bounded {
            return Err(BadPattern::BadCount);
        }
        Ok((least, most))
    }

    fn escape(&mut self) -> Result<Node, BadPattern> {
        let c = self.peek().ok_or(BadPattern::BadEscape)?;
        self.at += 1;
        let word = || alloc::vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
        let space = || alloc::vec![(' ', ' '), ('\t', '\r')];
        Ok(match c {
            'd' => Node::Class(false, alloc::vec![('0', '9')]),
            'D' => Node::Class(true, alloc::vec![('0', '9')]),
            'w' => Node::Class(false, word()),
            'W' => Node::Class(true, word()),
            's' => Node::Class(false, space()),
            'S' => Node::Class(true, space()),
            c if c.is_ascii_alphanumeric() => return Err(BadPattern::BadEscape),
            c => Node::Char(c),
        })
    }

    fn class(&mut self) -> Result<Node, BadPattern> {
        let negated = self.eat('^');
        let mut ranges = Vec::new();
        loop {
            let c = self.peek().ok_or(BadPattern::OpenClass)?;
            self.at += 1;
            let first = match c {
                ']' if !ranges.is_empty() => return Ok(Node::Class(negated, ranges)),
                '\\' => match self.escape()? {
                    Node::Char(c) => c,
                    Node::Class(false, inner) => {
                        ranges.extend(inner);
                        continue;
                    }
                    _ => return Err(BadPattern::BadEscape),
                },
                c => c,
            };
            let is_range = self.peek() == Some('-')
                && self.chars.get(self.at + 1).is_some_and(|&next| next != ']');
            if is_range {
                let last = self.chars.get(self.at + 1).copied().unwrap_or(first);
                self.at += 2;
                ranges.push((first, last));
            } else {
                ranges.push((first, first));
            }
        }
    }
}

struct Matcher<'a> {
    chars: &'a [char],
    steps: u32,
}

type Then<'t, 'a> = &'t mut dyn FnMut(&mut Matcher<'a>, usize) -> bool;

impl<'a> Matcher<'a> {
    /// Tries `node` at `at`, and `then` wherever it ends.
    fn run(&mut self, node: &Node, at: usize, then: Then<'_, 'a>) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return false;
        }
        let c = self.chars.get(at).copied();
        let one = match node {
            Node::Empty => return then(self, at),
            Node::Start => return at == 0 && then(self, at),
            Node::End => return at == self.chars.len() && then(self, at),
            Node::Sequence(parts) => return self.sequence(parts, at, then),
            Node::Either(branches) => {
                return branches.iter().any(|branch| self.run(branch, at, then));
            }
            Node::Repeat(inner, least, most) => {
                return self.repeat(inner, *least, *most, at, then);
            }
            Node::Char(wanted) => c == Some(*wanted),
            Node::Any => c.is_some(),
            Node::Class(negated, ranges) => c.is_some_and(|c| {
                ranges
                    .iter()
                    .any(|&(first, last)| (first..=last).contains(&c))
                    != *negated
            }),
        };
        one && then(self, at + 1)
    }

    fn sequence(&mut self, parts: &[Node], at: usize, then: Then<'_, 'a>) -> bool {
        match parts.split_first() {
            None => then(self, at),
            Some((first, rest)) => self.run(first, at, &mut |matcher, at| {
                matcher.sequence(rest, at, then)
            }),
        }
    }

    fn repeat(
        &mut self,
        inner: &Node,
        least: u32,
        most: u32,
        at: usize,
        then: Then<'_, 'a>,
    ) -> bool {
        if most > 0 {
            let more = self.run(inner, at, &mut |matcher, next| {
                // What matches nothing is not repeated for ever.
                next > at && matcher.repeat(inner, least.saturating_sub(1), most - 1, next, then)
            });
            if more {
                return true;
            }
        }
        least == 0 && then(self, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        assert!(matches("quick.*", "quickstart-events"));
        assert!(!matches("quick", "quickstart-events"));
        assert!(matches("(orders|my.*)", "my_topic.v1"));
        assert!(matches("^a[b-d]{2,3}\\.x?$", "abcd.x"));
        assert!(!matches("a[^b]", "ab"));
        assert!(matches("\\w+-\\d+", "part-12"));
        assert!(Pattern::topic_filter("a, b").unwrap().matches("b"));
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        assert_eq!(Pattern::new("a(b"), Err(BadPattern::OpenGroup));
        assert_eq!(Pattern::new("a)"), Err(BadPattern::LoneParenthesis));
        assert_eq!(Pattern::new("*"), Err(BadPattern::NothingToRepeat));
        assert_eq!(Pattern::new("[a"), Err(BadPattern::OpenClass));
    }

    #[test]
    fn a_pattern_that_tries_everything_ends() {
        assert!(!matches("(a*)*(a*)*(a*)*b", &"a".repeat(249)));
    }
}
