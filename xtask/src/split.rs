//! Splits the core in two modules: what a first visit runs, and the rest.
//!
//! The core holds all of Brooklet, and a visitor's first minute needs under half of it. So what
//! `first` (the profile of a first visit, `crates/wasm/first-load.txt`) names stays in the first
//! module, and every other function moves to a second one, which works in the same memory and is
//! loaded behind the first picture. Where the first module calls a function that has moved stands
//! a stub: it calls through a slot of the function table, which the second module fills as it is
//! instantiated; a stub that is called before that has the second module loaded at once
//! (`crates/wasm/src/rest.rs`). Nothing is copied and nothing behaves differently: the same
//! functions run on the same memory, and a profile that is out of date only loads more, sooner.

mod facts;
mod modules;
pub(crate) mod profile;

use std::collections::BTreeSet;

use facts::Facts;
use profile::Profile;

use crate::trouble::{Outcome, Trouble};

/// The export that loads the second module: what stubs call when it is not there yet.
const LOADER: &str = "loadRest";

/// A moved function that hot code calls is not worth a stub up to this size, in bytes.
const NOT_WORTH_A_STUB: usize = 24;

/// Both halves of a core.
pub(crate) struct Halves {
    pub(crate) first: Vec<u8>,
    pub(crate) rest: Vec<u8>,
}

/// Where each function of the core goes, by function index.
struct Plan {
    /// Whether a function has moved. Imported ones never do.
    moved: Vec<bool>,
    /// The moved functions that something in the first module refers to, ascending: the n-th
    /// one's slot is the table's old end plus n.
    stubs: Vec<u32>,
    /// The functions of the first module that moved ones refer to, ascending.
    shared: Vec<u32>,
}

/// Splits a core that still has its functions' names.
pub(crate) fn split(core: &[u8], first: &Profile) -> Outcome<Halves> {
    let facts = Facts::read(core)?;
    let plan = Plan::new(&facts, first);
    let halves = Halves {
        first: modules::first(core, &facts, &plan)?,
        rest: modules::rest(core, &facts, &plan)?,
    };
    for half in [&halves.first, &halves.rest] {
        let valid = wasmparser::Validator::new().validate_all(half);
        valid.map_err(|e| Trouble::Failed(format!("the split core is not valid: {e}.")))?;
    }
    Ok(halves)
}

impl Plan {
    fn new(facts: &Facts, first: &Profile) -> Plan {
        let kept = |f: &facts::Function| f.imported || first.names(&f.name);
        let mut moved: Vec<bool> = facts.functions.iter().map(|f| !kept(f)).collect();
        let loader = facts.exported(LOADER);
        for index in from_first(facts, &moved) {
            let small = facts.functions[index as usize].size <= NOT_WORTH_A_STUB;
            moved[index as usize] &= !small && Some(index) != loader;
        }
        let mut stubs = from_first(facts, &moved);
        stubs.retain(|index| moved[*index as usize]);
        let mut shared = from_code(facts, &moved, true);
        shared.retain(|index| !moved[*index as usize]);
        Plan {
            moved,
            stubs,
            shared,
        }
    }

    /// The table slot of a moved function, if it has a stub.
    fn slot(&self, facts: &Facts, index: u32) -> Option<u64> {
        let at = self.stubs.binary_search(&index).ok()?;
        Some(facts.table_size + at as u64)
    }
}

/// Every function that the code of one module refers to, ascending.
fn from_code(facts: &Facts, moved: &[bool], rest: bool) -> Vec<u32> {
    let own = facts.functions.iter().zip(moved);
    let own = own.filter(|(_, moved)| **moved == rest);
    let all: BTreeSet<u32> = own.flat_map(|(f, _)| f.refers.iter().copied()).collect();
    all.into_iter().collect()
}

/// Every function that the first module refers to in its code, its table or its exports, ascending.
fn from_first(facts: &Facts, moved: &[bool]) -> Vec<u32> {
    let table = facts.table.iter().map(|(_, index)| *index);
    let exports = facts.exports.iter().map(|(_, index)| *index);
    let code = from_code(facts, moved, false).into_iter();
    let all: BTreeSet<u32> = code.chain(table).chain(exports).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, Function,
        FunctionSection, ImportSection, Instruction, Module, NameMap, NameSection, RefType,
        TableSection, TableType, TypeSection,
    };

    use super::profile::Profile;
    use super::{LOADER, facts::Facts, split};

    /// Function indices of the small core below; 0 is imported.
    const LOAD: u32 = 1;
    const HOT: u32 = 2;
    const COLD: u32 = 3;
    const COLDER: u32 = 4;
    const TABLED: u32 = 5;

    fn code(body: &[Instruction<'_>]) -> Function {
        let mut code = Function::new([]);
        for instruction in body {
            code.instruction(instruction);
        }
        // Long enough to be worth a stub.
        for _ in 0..super::NOT_WORTH_A_STUB {
            code.instruction(&Instruction::Nop);
        }
        code.instruction(&Instruction::End);
        code
    }

    /// `hot` calls `cold`, which calls `colder` and `hot`; the table holds `tabled` and `hot`.
    fn core() -> Vec<u8> {
        let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
        types.ty().function([], []);
        imports.import("page", "fetch", wasm_encoder::EntityType::Function(0));
        let (mut functions, mut code_section) = (FunctionSection::new(), CodeSection::new());
        let bodies: [&[Instruction<'_>]; 5] = [
            &[Instruction::Call(0)],
            &[Instruction::Call(COLD)],
            &[Instruction::Call(COLDER), Instruction::Call(HOT)],
            &[],
            &[],
        ];
        for body in bodies {
            functions.function(0);
            code_section.function(&code(body));
        }
        let (mut tables, mut exports) = (TableSection::new(), ExportSection::new());
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 3,
            maximum: Some(3),
            shared: false,
        });
        exports.export(LOADER, ExportKind::Func, LOAD);
        exports.export("hot", ExportKind::Func, HOT);
        let mut elements = ElementSection::new();
        let listed = Elements::Functions(vec![TABLED, HOT].into());
        elements.active(Some(0), &ConstExpr::i32_const(1), listed);
        let (mut names, mut map) = (NameSection::new(), NameMap::new());
        for (index, name) in [
            (HOT, "hot"),
            (COLD, "cold"),
            (COLDER, "colder"),
            (TABLED, "tabled"),
        ] {
            map.append(index, name);
        }
        names.functions(&map);
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions);
        module.section(&tables).section(&exports).section(&elements);
        module.section(&code_section).section(&names);
        module.finish()
    }

    #[test]
    fn what_a_first_visit_does_not_run_moves_and_is_reached_through_the_table() {
        let halves = split(&core(), &Profile::of(&["hot"])).unwrap();
        let (first, rest) = (Facts::read(&halves.first), Facts::read(&halves.rest));
        let (first, rest) = (first.unwrap(), rest.unwrap());
        // A slot each for what the first half refers to: `cold` and `tabled`, but not `colder`.
        assert_eq!(first.table_size, 3 + 2);
        assert_eq!(first.functions.len(), core_functions() + 1);
        assert_eq!(first.functions[COLDER as usize].size, 3);
        // The rest knows `hot`, which it calls, and has the three that moved.
        let imported = rest.functions.iter().filter(|f| f.imported).count();
        assert_eq!((imported, rest.functions.len()), (1, 1 + 3));
        // It fills the slots of both stubs, and the one where the core keeps `tabled`.
        let filled: Vec<u64> = rest.table.iter().map(|(slot, _)| *slot).collect();
        assert_eq!(filled, [1, 3, 4]);
    }

    #[test]
    fn nothing_moves_when_all_of_it_runs_in_a_first_visit() {
        let all = Profile::of(&["hot", "cold", "colder", "tabled"]);
        let halves = split(&core(), &all).unwrap();
        assert_eq!(Facts::read(&halves.first).unwrap().table_size, 3);
        assert!(Facts::read(&halves.rest).unwrap().functions.is_empty());
    }

    fn core_functions() -> usize {
        Facts::read(&core()).unwrap().functions.len()
    }
}
