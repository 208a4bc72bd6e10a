//! What the splitter knows of a core: its functions, what each refers to, and the function table.

use std::collections::BTreeSet;

use wasmparser::{
    ConstExpr, ElementItems, ElementKind, ExternalKind, FunctionBody, KnownCustom, Name, Operator,
    Parser, Payload, TypeRef,
};

use crate::trouble::{Outcome, Trouble};

/// One function of the core.
#[derive(Default)]
pub(super) struct Function {
    /// As in the source, with types and without hashes; empty when it has none.
    pub(super) name: String,
    pub(super) imported: bool,
    /// Index of its type.
    pub(super) kind: u32,
    /// Length of its code, bytes.
    pub(super) size: usize,
    /// The functions it calls or takes the address of, ascending.
    pub(super) refers: Vec<u32>,
}

/// A core, read once.
#[derive(Default)]
pub(super) struct Facts {
    /// By function index, the imported ones first.
    pub(super) functions: Vec<Function>,
    /// Parameters of each type that is a function's.
    pub(super) parameters: Vec<u32>,
    /// The exported functions: name and function index.
    pub(super) exports: Vec<(String, u32)>,
    /// The function table: slot and function index, as the core fills it.
    pub(super) table: Vec<(u64, u32)>,
    /// Index of the function table among the tables, and how many slots it has.
    pub(super) table_index: u32,
    pub(super) table_size: u64,
    /// First address behind the memory the core begins with, bytes.
    pub(super) memory_end: u64,
    tables: u32,
    defined: usize,
}

impl Facts {
    pub(super) fn read(core: &[u8]) -> Outcome<Facts> {
        let mut facts = Facts::default();
        for payload in Parser::new(0).parse_all(core) {
            facts
                .take(payload.map_err(unreadable)?)
                .map_err(unreadable)?;
        }
        Ok(facts)
    }

    /// The exported function of this name.
    pub(super) fn exported(&self, name: &str) -> Option<u32> {
        let found = self.exports.iter().find(|(each, _)| each == name);
        found.map(|(_, index)| *index)
    }

    fn take(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for kind in section.into_iter_err_on_gc_types() {
                    let parameters = u32::try_from(kind?.params().len()).unwrap_or(u32::MAX);
                    self.parameters.push(parameters);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(import?.ty);
                }
            }
            Payload::FunctionSection(section) => {
                for kind in section {
                    self.functions.push(Function {
                        kind: kind?,
                        ..Function::default()
                    });
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tabled(&table?.ty);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory_end = memory?.initial * 0x1_0000;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.exports.push((export.name.to_owned(), export.index));
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::CodeSectionEntry(body) => self.code(&body)?,
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for name in names {
                        self.names(name?)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, what: TypeRef) {
        match what {
            TypeRef::Func(kind) => {
                self.functions.push(Function {
                    kind,
                    imported: true,
                    ..Function::default()
                });
                self.defined += 1;
            }
            TypeRef::Table(table) => self.tabled(&table),
            _ => {}
        }
    }

    fn tabled(&mut self, table: &wasmparser::TableType) {
        if table.element_type.is_func_ref() {
            (self.table_index, self.table_size) = (self.tables, table.initial);
        }
        self.tables += 1;
    }

    fn element(&mut self, element: wasmparser::Element<'_>) -> wasmparser::Result<()> {
        let (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(functions)) =
            (element.kind, element.items)
        else {
            return Ok(());
        };
        for (slot, function) in (constant(&offset_expr)..).zip(functions) {
            self.table.push((slot, function?));
        }
        Ok(())
    }

    fn code(&mut self, body: &FunctionBody<'_>) -> wasmparser::Result<()> {
        let mut refers = BTreeSet::new();
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Call { function_index }
                | Operator::ReturnCall { function_index }
                | Operator::RefFunc { function_index } => refers.insert(function_index),
                _ => false,
            };
        }
        let function = &mut self.functions[self.defined];
        function.size = body.range().len();
        function.refers = refers.into_iter().collect();
        self.defined += 1;
        Ok(())
    }

    fn names(&mut self, names: Name<'_>) -> wasmparser::Result<()> {
        let Name::Function(names) = names else {
            return Ok(());
        };
        for naming in names {
            let naming = naming?;
            if let Some(function) = self.functions.get_mut(naming.index as usize) {
                // Without the hashes, which are another machine's.
                function.name = format!("{:#}", rustc_demangle::demangle(naming.name));
            }
        }
        Ok(())
    }
}

/// The offset of an element segment; the linker writes constants only.
fn constant(expression: &ConstExpr<'_>) -> u64 {
    match expression.get_operators_reader().read() {
        Ok(Operator::I32Const { value }) => u64::from(value.cast_unsigned()),
        _ => 0,
    }
}

fn unreadable(why: wasmparser::BinaryReaderError) -> Trouble {
    Trouble::Failed(format!("could not read the core: {why}."))
}
