//! The profile of a first visit: the functions it runs, and how they are found out.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, Instruction, MemArg, Module};
use wasmparser::{FunctionBody, Parser};

use super::facts::Facts;
use crate::root;
use crate::trouble::{Outcome, Trouble};

/// What the file says of itself.
const HEAD: &str = "\
# The functions that a first visit runs, until a lane lives: they make up the module that a new
# visitor waits for (xtask/src/split.rs). Each line is the hash of one function's name.
# Made by `cargo xtask first-load`; renew it when the page's budget is exceeded.
";

/// Memory is measured in pages of this many bytes.
const PAGE: u64 = 0x1_0000;

/// The functions of a first visit, by the hashes of their names: the names alone are 400 KB.
pub(crate) struct Profile(BTreeSet<u32>);

impl Profile {
    /// Where the profile is kept.
    pub(crate) fn path() -> PathBuf {
        root().join("crates/wasm/first-load.txt")
    }

    pub(crate) fn read() -> Outcome<Profile> {
        let path = Profile::path();
        let text = fs::read_to_string(&path).map_err(|e| Trouble::io("read", &path, e))?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let hashes = lines.map(|line| u32::from_str_radix(line, 16));
        let hashes: Result<_, _> = hashes.collect();
        let why = |_| Trouble::Failed(format!("{} holds a line that is no hash.", path.display()));
        hashes.map(Profile).map_err(why)
    }

    pub(crate) fn write(&self, path: &Path) -> Outcome {
        let lines = self.0.iter().map(|hash| format!("{hash:08x}\n"));
        let text: String = std::iter::once(HEAD.to_owned()).chain(lines).collect();
        fs::write(path, text).map_err(|e| Trouble::io("write", path, e))
    }

    /// Whether the profile has a function of this name.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.contains(&hash(name))
    }

    /// The profile of these functions.
    #[cfg(test)]
    pub(super) fn of(names: &[&str]) -> Profile {
        Profile(names.iter().map(|name| hash(name)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// FNV-1a.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// A core that notes which of its functions have run, one byte each.
pub(crate) struct Noting {
    pub(crate) module: Vec<u8>,
    /// Address of the first function's note.
    pub(crate) from: u64,
    /// How many functions have one.
    pub(crate) count: usize,
    names: Vec<String>,
}

impl Noting {
    /// Of a core that still has its functions' names.
    pub(crate) fn new(core: &[u8]) -> Outcome<Noting> {
        let facts = Facts::read(core)?;
        let own = facts.functions.into_iter().filter(|f| !f.imported);
        let names: Vec<String> = own.map(|f| f.name).collect();
        let mut writer = Writer {
            next: facts.memory_end,
            pages: (names.len() as u64).div_ceil(PAGE),
        };
        let mut module = Module::new();
        let written = writer.parse_core_module(&mut module, Parser::new(0), core);
        written.map_err(|e| Trouble::Failed(format!("could not write the core: {e}.")))?;
        Ok(Noting {
            module: module.finish(),
            from: facts.memory_end,
            count: names.len(),
            names,
        })
    }

    /// The profile that these notes make: a `1` for every function that has run.
    pub(crate) fn profile(&self, notes: &str) -> Profile {
        let ran = notes.chars().zip(&self.names);
        let ran = ran.filter(|(note, _)| *note == '1');
        Profile(ran.map(|(_, name)| hash(name)).collect())
    }
}

/// Puts the notes behind all memory that the core knows of.
struct Writer {
    /// Address of the next function's note.
    next: u64,
    pages: u64,
}

impl Reencode for Writer {
    type Error = Infallible;

    fn memory_type(
        &mut self,
        memory: wasmparser::MemoryType,
    ) -> Result<wasm_encoder::MemoryType, Error<Infallible>> {
        let mut larger = utils::memory_type(self, memory);
        larger.minimum += self.pages;
        Ok(larger)
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let own = MemArg {
            offset: self.next,
            align: 0,
            memory_index: 0,
        };
        self.next += 1;
        function.instruction(&Instruction::I32Const(0));
        function.instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::I32Store8(own));
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            function.instruction(&self.parse_instruction(&mut operators)?);
        }
        code.function(&function);
        Ok(())
    }
}
