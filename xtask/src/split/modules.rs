//! Writes the two halves of a core.
//!
//! The first keeps the core's numbering of everything, so that its code is copied as it is; the
//! rest imports memory, tables and globals in the core's order, so that only its calls change.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalType, ImportSection, Instruction, Module,
    TypeSection,
};
use wasmparser::{FunctionBody, Parser, Payload, TypeRef};

use super::facts::Facts;
use super::{LOADER, Plan};
use crate::trouble::{Outcome, Trouble};

/// What the rest imports everything from.
const FIRST: &str = "first";

type Result<T = (), E = Error<Infallible>> = std::result::Result<T, E>;

/// The first half: the core with stubs for what has moved, and its insides exported for the rest.
pub(super) fn first(core: &[u8], facts: &Facts, plan: &Plan) -> Outcome<Vec<u8>> {
    let loader = facts
        .exported(LOADER)
        .ok_or_else(|| Trouble::Failed(format!("the core exports no function named {LOADER}.")))?;
    let mut first = First {
        facts,
        plan,
        loader,
        next: imported(facts),
        shape: Shape::read(core).map_err(unwritable)?,
    };
    let mut module = Module::new();
    let written = first.parse_core_module(&mut module, Parser::new(0), core);
    written.map_err(unwritable)?;
    Ok(module.finish())
}

/// The second half: what has moved.
pub(super) fn rest(core: &[u8], facts: &Facts, plan: &Plan) -> Outcome<Vec<u8>> {
    let mut rest = Rest {
        facts,
        plan,
        numbers: BTreeMap::new(),
    };
    rest.module(core).map_err(unwritable)
}

fn unwritable<E: std::fmt::Display>(why: E) -> Trouble {
    Trouble::Failed(format!("could not split the core: {why}."))
}

/// How many of a core's functions are imported: the index of the first that is its own.
fn imported(facts: &Facts) -> u32 {
    let count = facts.functions.iter().take_while(|f| f.imported).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What both halves share besides functions.
#[derive(Default)]
struct Shape {
    memories: Vec<wasmparser::MemoryType>,
    tables: Vec<wasmparser::TableType>,
    globals: Vec<wasmparser::GlobalType>,
}

impl Shape {
    fn read(core: &[u8]) -> wasmparser::Result<Shape> {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(core) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Table(table) => shape.tables.push(table),
                            TypeRef::Memory(memory) => shape.memories.push(memory),
                            TypeRef::Global(global) => shape.globals.push(global),
                            _ => {}
                        }
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        shape.tables.push(table?.ty);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        shape.memories.push(memory?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        shape.globals.push(global?.ty);
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}

struct First<'a> {
    facts: &'a Facts,
    plan: &'a Plan,
    loader: u32,
    shape: Shape,
    /// Index of the function whose code comes next.
    next: u32,
}

impl First<'_> {
    /// What makes sure that the rest is there stands behind all other functions.
    fn guard(&self) -> u32 {
        u32::try_from(self.facts.functions.len()).unwrap_or(u32::MAX)
    }

    /// Calls the loader while the last slot is empty.
    fn guard_code(&self) -> Function {
        let slots = self.facts.table_size + self.plan.stubs.len() as u64;
        let mut code = Function::new([]);
        code.instruction(&slot(slots.saturating_sub(1)));
        code.instruction(&Instruction::TableGet(self.facts.table_index));
        code.instruction(&Instruction::RefIsNull);
        code.instruction(&Instruction::If(BlockType::Empty));
        code.instruction(&Instruction::Call(self.loader));
        code.instruction(&Instruction::End);
        code.instruction(&Instruction::End);
        code
    }

    /// In the place of a moved function: a stub, or nothing when nobody calls it from here.
    fn stand_in(&self, index: u32) -> Function {
        let mut code = Function::new([]);
        match self.plan.slot(self.facts, index) {
            Some(at) => {
                let kind = self.facts.functions[index as usize].kind;
                code.instruction(&Instruction::Call(self.guard()));
                for parameter in 0..self.facts.parameters[kind as usize] {
                    code.instruction(&Instruction::LocalGet(parameter));
                }
                code.instruction(&slot(at));
                code.instruction(&Instruction::CallIndirect {
                    type_index: kind,
                    table_index: self.facts.table_index,
                });
            }
            None => {
                code.instruction(&Instruction::Unreachable);
            }
        }
        code.instruction(&Instruction::End);
        code
    }
}

fn slot(at: u64) -> Instruction<'static> {
    Instruction::I32Const(i32::try_from(at).unwrap_or(i32::MAX))
}

impl Reencode for First<'_> {
    type Error = Infallible;

    fn table_type(&mut self, table: wasmparser::TableType) -> Result<wasm_encoder::TableType> {
        let more = match table.element_type.is_func_ref() {
            true => self.plan.stubs.len() as u64,
            false => 0,
        };
        let mut larger = utils::table_type(self, table)?;
        larger.minimum += more;
        larger.maximum = larger.maximum.map(|maximum| maximum + more);
        Ok(larger)
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result {
        utils::parse_function_section(self, functions, section)?;
        functions.function(self.facts.functions[self.loader as usize].kind);
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result {
        utils::parse_export_section(self, exports, section)?;
        let all = |of: usize| 0..u32::try_from(of).unwrap_or(u32::MAX);
        for index in all(self.shape.memories.len()) {
            exports.export(&format!("m{index}"), ExportKind::Memory, index);
        }
        for index in all(self.shape.tables.len()) {
            exports.export(&format!("t{index}"), ExportKind::Table, index);
        }
        for index in all(self.shape.globals.len()) {
            exports.export(&format!("g{index}"), ExportKind::Global, index);
        }
        for index in &self.plan.shared {
            exports.export(&format!("f{index}"), ExportKind::Func, *index);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.guard_code());
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result {
        let index = self.next;
        self.next += 1;
        match self.plan.moved[index as usize] {
            true => {
                code.function(&self.stand_in(index));
            }
            false => utils::parse_function_body(self, code, body)?,
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> Result {
        // Names of functions are a quarter of what a visitor would load.
        match section.name() {
            "name" => Ok(()),
            _ => utils::parse_custom_section(self, module, section),
        }
    }
}

struct Rest<'a> {
    facts: &'a Facts,
    plan: &'a Plan,
    /// The new index of every function that the rest knows, by its old one.
    numbers: BTreeMap<u32, u32>,
}

impl Reencode for Rest<'_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32> {
        Ok(self.numbers.get(&index).copied().unwrap_or(u32::MAX))
    }
}

impl Rest<'_> {
    fn module(&mut self, core: &[u8]) -> Result<Vec<u8>> {
        let shape = Shape::read(core)?;
        let imports = self.imports(&shape)?;
        let functions = self.functions();
        let elements = self.elements();
        let (mut types, mut code) = (TypeSection::new(), CodeSection::new());
        let mut next = imported(self.facts);
        for payload in Parser::new(0).parse_all(core) {
            match payload? {
                Payload::TypeSection(section) => self.parse_type_section(&mut types, section)?,
                Payload::CodeSectionEntry(body) => {
                    if self.plan.moved[next as usize] {
                        self.parse_function_body(&mut code, body)?;
                    }
                    next += 1;
                }
                _ => {}
            }
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions);
        module.section(&elements).section(&code);
        Ok(module.finish())
    }

    fn imports(&mut self, shape: &Shape) -> Result<ImportSection> {
        let mut imports = ImportSection::new();
        // Whatever they have grown to by then is right.
        for (index, memory) in shape.memories.iter().enumerate() {
            let mut memory = self.memory_type(*memory)?;
            memory.maximum = None;
            imports.import(FIRST, &format!("m{index}"), memory);
        }
        for (index, table) in shape.tables.iter().enumerate() {
            let mut table = self.table_type(*table)?;
            table.maximum = None;
            imports.import(FIRST, &format!("t{index}"), table);
        }
        for (index, global) in shape.globals.iter().enumerate() {
            let kind: GlobalType = self.global_type(*global)?;
            imports.import(FIRST, &format!("g{index}"), kind);
        }
        for index in &self.plan.shared {
            let kind = self.facts.functions[*index as usize].kind;
            imports.import(FIRST, &format!("f{index}"), EntityType::Function(kind));
            self.number(*index);
        }
        Ok(imports)
    }

    fn functions(&mut self) -> FunctionSection {
        let mut functions = FunctionSection::new();
        for (index, function) in (0u32..).zip(&self.facts.functions) {
            if self.plan.moved[index as usize] {
                functions.function(function.kind);
                self.number(index);
            }
        }
        functions
    }

    fn number(&mut self, index: u32) {
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(index, number);
    }

    /// Fills the stubs' slots, and those where the core itself keeps the address of a moved function.
    fn elements(&self) -> ElementSection {
        let plan = self.plan;
        let own = self.facts.table.iter().copied();
        let own = own.filter(|(_, index)| plan.moved[*index as usize]);
        let stubs = (self.facts.table_size..).zip(plan.stubs.iter().copied());
        let mut runs: Vec<(u64, Vec<u32>)> = Vec::new();
        for (at, index) in own.chain(stubs) {
            let number = self.numbers.get(&index).copied().unwrap_or(u32::MAX);
            match runs.last_mut() {
                Some((from, run)) if *from + run.len() as u64 == at => run.push(number),
                _ => runs.push((at, vec![number])),
            }
        }
        let mut elements = ElementSection::new();
        for (from, run) in runs {
            let offset = ConstExpr::i32_const(i32::try_from(from).unwrap_or(i32::MAX));
            elements.active(
                Some(self.facts.table_index),
                &offset,
                Elements::Functions(run.into()),
            );
        }
        elements
    }
}
