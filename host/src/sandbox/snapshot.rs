//! Instances that begin where another one stood: the half of replay that wasmtime does.
//!
//! Takes a module whose memory comes from outside (see [`crate::instrument`]), a
//! module without code that holds a memory, and the values of its mutable
//! globals, and makes of them as many instances as wanted, each in a store of its
//! own: [`SnapshotImage`]. wasmtime maps the memory copy-on-write, so that an instance
//! costs the same whatever the size of the state. [`Replayed::capture`] makes
//! such a module of the memory as it is. A large memory is kept in a file instead, without
//! a compiler's copies of it ([`Replayed::write`], `mapped.rs`). What the host holds
//! for a guest (open files, random numbers drawn) is not part of it.

mod beside;

use crate::protocol::Globals;
pub(super) use beside::val;
use beside::{fits, value_of};

use super::mapped::{self, Mapped};
use crate::instrument::{MEMORY, RewriteFacts, STATE, global_export, state_module};
use std::cell::Cell;
use std::fs::File;
use std::io;
use wasmtime::{
    ExternType, Instance, InstancePre, Linker, Memory, Module, ModuleExport, Store, Val,
};

/// A state from which instances can be made to begin.
pub struct SnapshotImage<T: 'static> {
    main: Module,
    source: Source<T>,
    /// Offers what the module imports beside its memory.
    linker: Linker<T>,
    imports: Vec<Import>,
    globals: Vec<(ModuleExport, Val)>,
    /// Pages that were mapped for instances and may still be.
    mapped: Cell<u64>,
}

/// What makes the memory.
enum Source<T: 'static> {
    /// A module without code, by this export.
    Module(InstancePre<T>, ModuleExport),
    /// A file that holds it.
    File(Mapped),
}

enum Import {
    Memory,
    Host { module: String, name: String },
}

/// An instance that began from a state.
#[derive(Clone, Copy, Debug)]
pub struct Replayed {
    /// The instance of the main module.
    pub instance: Instance,
    /// Its memory, whether it exports it or not.
    pub memory: Memory,
    /// Page faults of this thread at its beginning.
    faults: u64,
}

/// A state that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateParts {
    /// The size of the memory, in pages of 64 KiB.
    pub pages: u64,
    /// A module without code that holds the memory, to be compiled.
    pub state: Vec<u8>,
    /// The values of the mutable globals.
    pub globals: Globals,
}

impl<T: 'static> SnapshotImage<T> {
    /// Prepares instances of `main`, a rewritten module, that begin with the
    /// memory of `state` and these globals (none: what `main` begins with
    /// itself). `linker` offers everything else that `main` imports.
    ///
    /// # Errors
    /// If the parts do not fit each other.
    pub fn new(
        linker: &Linker<T>,
        main: &Module,
        state: &Module,
        globals: &Globals,
    ) -> wasmtime::Result<SnapshotImage<T>> {
        let memory = state
            .get_export_index(MEMORY)
            .filter(|_| matches!(state.get_export(MEMORY), Some(ExternType::Memory(_))))
            .ok_or_else(|| wasmtime::format_err!("the module with the state has no memory"))?;
        let source = Source::Module(linker.instantiate_pre(state)?, memory);
        SnapshotImage::with(linker, main, source, globals)
    }

    /// The same, with the memory that a file holds, as [`Replayed::write`] wrote it.
    ///
    /// # Errors
    /// If the parts do not fit each other, or the file holds no memory.
    pub fn of_file(
        linker: &Linker<T>,
        main: &Module,
        state: File,
        globals: &Globals,
    ) -> wasmtime::Result<SnapshotImage<T>> {
        let imported = main.imports().find_map(|import| match import.ty() {
            ExternType::Memory(ty) if import.module() == STATE => Some(ty),
            _ => None,
        });
        let maximum = imported
            .ok_or_else(|| wasmtime::format_err!("the module was not rewritten"))?
            .maximum();
        let source = Source::File(Mapped::new(state, maximum)?);
        SnapshotImage::with(linker, main, source, globals)
    }

    fn with(
        linker: &Linker<T>,
        main: &Module,
        source: Source<T>,
        globals: &Globals,
    ) -> wasmtime::Result<SnapshotImage<T>> {
        let imports = main
            .imports()
            .map(|import| match (import.module(), import.name()) {
                (STATE, MEMORY) => Import::Memory,
                (module, name) => Import::Host {
                    module: module.to_owned(),
                    name: name.to_owned(),
                },
            })
            .collect();
        let globals = globals.0.iter().map(|(index, value)| {
            let name = global_export(*index);
            main.get_export_index(&name)
                .filter(|_| match main.get_export(&name) {
                    Some(ExternType::Global(ty)) => fits(*value, &ty),
                    _ => false,
                })
                .map(|export| (export, val(*value)))
                .ok_or_else(|| wasmtime::format_err!("the module has no global for `{name}`"))
        });
        Ok(SnapshotImage {
            main: main.clone(),
            source,
            linker: linker.clone(),
            imports,
            globals: globals.collect::<wasmtime::Result<_>>()?,
            mapped: Cell::new(0),
        })
    }

    /// An instance that begins from the state, in a fresh store, with a memory of its own.
    ///
    /// # Errors
    /// If an import is missing or the store's limits do not allow the memory.
    pub fn instantiate(&self, store: &mut Store<T>) -> wasmtime::Result<Replayed> {
        let faults = page_faults();
        let memory = match &self.source {
            Source::Module(state, memory) => state
                .instantiate(&mut *store)?
                .get_module_export(&mut *store, memory)
                .and_then(wasmtime::Extern::into_memory)
                .expect("it was looked up in this module"),
            Source::File(mapped) => mapped.memory(&mut *store)?,
        };
        let mut imports = Vec::with_capacity(self.imports.len());
        for import in &self.imports {
            imports.push(match import {
                Import::Memory => memory.into(),
                Import::Host { module, name } => self.linker.get(&mut *store, module, name)?,
            });
        }
        let instance = Instance::new(&mut *store, &self.main, &imports)?;
        for (export, value) in &self.globals {
            let global = instance
                .get_module_export(&mut *store, export)
                .and_then(wasmtime::Extern::into_global)
                .expect("it was looked up in this module");
            global.set(&mut *store, *value)?;
        }
        Ok(Replayed {
            instance,
            memory,
            faults,
        })
    }

    /// To be called when an instance is done with, before its store is dropped.
    ///
    /// wasmtime puts right what an instance wrote, but leaves mapped what it only
    /// read, and looks through all of that after each later instance in the same
    /// slot (2 ms for 256 MiB). So the pages are unmapped here once many were.
    pub fn release(&self, store: &mut Store<T>, replayed: &Replayed) {
        if matches!(self.source, Source::File(..)) {
            // it is in no slot, and goes with its store
            return;
        }
        let mapped = self.mapped.get() + page_faults().saturating_sub(replayed.faults);
        self.mapped.set(mapped);
        if mapped > MANY_FAULTS {
            self.mapped.set(0);
            unmap(store, replayed.memory);
        }
    }
}

/// A fault maps up to 16 pages (64 KiB) that were only read; looking through what
/// this many leave behind takes some 10 us, about what it costs to unmap it and to
/// let a small test fault again.
const MANY_FAULTS: u64 = 32;

impl Replayed {
    /// The state in which the instance stands.
    ///
    /// # Errors
    /// `StateTooLarge` if its memory does not
    /// fit in a module; else if the facts are those of another module.
    pub fn capture<T>(
        &self,
        store: &mut Store<T>,
        facts: &RewriteFacts,
    ) -> wasmtime::Result<StateParts> {
        Ok(StateParts {
            globals: self.globals(&mut *store, facts)?,
            pages: self.memory.size(&*store),
            state: state_module(&facts.memory, self.memory.data(&*store))?,
        })
    }

    /// Writes the memory as it is to a file that is empty, from where it lies.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write<T>(&self, store: &Store<T>, file: &File) -> io::Result<()> {
        mapped::write(self.memory.data(store), file)
    }

    /// The values of the mutable globals.
    ///
    /// # Errors
    /// If the facts are those of another module.
    pub fn globals<T>(
        &self,
        store: &mut Store<T>,
        facts: &RewriteFacts,
    ) -> wasmtime::Result<Globals> {
        let mut globals = Vec::with_capacity(facts.globals.len());
        for shape in &facts.globals {
            let name = global_export(shape.index);
            let value = self
                .instance
                .get_global(&mut *store, &name)
                .and_then(|global| value_of(&global.get(&mut *store)))
                .ok_or_else(|| wasmtime::format_err!("the module has no global for `{name}`"))?;
            globals.push((shape.index, value));
        }
        Ok(Globals(globals))
    }
}

/// Page faults of this thread so far.
#[cfg(target_os = "linux")]
fn page_faults() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: it writes a whole `rusage` to the place that it is given.
    let done = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    if done != 0 {
        return 0;
    }
    // SAFETY: it was written, since the call succeeded.
    let usage = unsafe { usage.assume_init() };
    u64::try_from(usage.ru_minflt).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn page_faults() -> u64 {
    0
}

/// Puts a memory back to what it began with, where the system can: its pages are
/// unmapped, and those of copy-on-write mappings come back from their file.
#[cfg(target_os = "linux")]
fn unmap<T>(store: &mut Store<T>, memory: Memory) {
    let (start, length) = (memory.data_ptr(&*store), memory.data_size(&*store));
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let whole_pages = usize::try_from(page)
        .is_ok_and(|page| start.addr().is_multiple_of(page) && length.is_multiple_of(page));
    if whole_pages {
        // SAFETY: the range is the memory's alone, since it is made of whole
        // pages. Its bytes change, which the exclusive borrow of the store
        // allows: no guest runs and nobody holds a reference to them.
        unsafe { libc::madvise(start.cast(), length, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
fn unmap<T>(_: &mut Store<T>, _: Memory) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{PAGE, PassOutput, Rewritten, rewrite};
    use crate::protocol::{Compiler, Value};
    use crate::sandbox::engine;
    use wasmtime::Engine;

    /// `setup` grows the memory, writes at its end and sets the globals; `spoil`
    /// changes all of that; `sum` tells them apart.
    const COUNTER: &str = r#"(module
        (import "host" "add" (func $add (param i32 i32) (result i32)))
        (memory 1 8)
        (global $a (mut i32) (i32.const 1))
        (global $constant i32 (i32.const 7))
        (global $b (mut i64) (i64.const 2))
        (global $c (mut f32) (f32.const 3))
        (global $d (mut f64) (f64.const 4))
        (global $e (mut v128) (v128.const i64x2 5 6))
        (data (i32.const 8) "\01")
        (data (i32.const 65532) "\02")
        (func (export "setup")
            (drop (memory.grow (i32.const 2)))
            (i32.store (i32.const 196604) (i32.const 100))
            (i32.store8 (i32.const 8) (i32.const 10))
            (global.set $a (i32.const -11))
            (global.set $b (i64.const 12))
            (global.set $c (f32.const nan:0x200001))
            (global.set $d (f64.const -0))
            (global.set $e (v128.const i64x2 -15 16)))
        (func (export "spoil")
            (memory.fill (i32.const 0) (i32.const 0xee) (i32.const 196608))
            (drop (memory.grow (i32.const 1)))
            (i32.store (i32.const 200000) (i32.const 1))
            (global.set $a (i32.const 0))
            (global.set $b (i64.const 0))
            (global.set $c (f32.const 0))
            (global.set $d (f64.const 0))
            (global.set $e (v128.const i64x2 0 0)))
        (func (export "pages") (result i32) (memory.size))
        (func (export "sum") (param $at i32) (result i32)
            (call $add (i32.load8_u (i32.const 8)) (i32.load (local.get $at)))))"#;

    fn linker(engine: &Engine) -> Linker<()> {
        let mut linker = Linker::new(engine);
        linker
            .func_wrap("host", "add", |a: i32, b: i32| a + b)
            .expect("it is new");
        linker
    }

    fn store(engine: &Engine) -> Store<()> {
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(1);
        store
    }

    fn rewritten(wat: &str) -> PassOutput<'static, Rewritten> {
        rewrite(&wat::parse_str(wat).expect("it assembles")).expect("it is understood")
    }

    fn compile(engine: &Engine, bytes: &[u8]) -> Module {
        Module::new(engine, bytes).expect("it compiles")
    }

    fn call(replayed: &Replayed, store: &mut Store<()>, name: &str) {
        replayed
            .instance
            .get_typed_func::<(), ()>(&mut *store, name)
            .expect("it is exported")
            .call(store, ())
            .expect("it returns");
    }

    fn ask(replayed: &Replayed, store: &mut Store<()>, at: i32) -> (i32, i32) {
        let pages = replayed
            .instance
            .get_typed_func::<(), i32>(&mut *store, "pages")
            .expect("it is exported")
            .call(&mut *store, ())
            .expect("it returns");
        let sum = replayed
            .instance
            .get_typed_func::<i32, i32>(&mut *store, "sum")
            .expect("it is exported")
            .call(store, at)
            .expect("it returns");
        (pages, sum)
    }

    #[test]
    fn a_state_is_found_fresh_by_each_of_a_thousand_tests_that_spoil_it() {
        for engine in engine::of_each_kind() {
            let linker = linker(&engine);
            let guest = rewritten(COUNTER);
            let main = compile(&engine, &guest.bytes);
            let initial_memory = compile(&engine, &guest.facts.initial_memory);
            let setup = SnapshotImage::new(&linker, &main, &initial_memory, &Globals::default())
                .expect("the parts fit");

            let mut first = store(&engine);
            let replayed = setup.instantiate(&mut first).expect("an instance");
            assert_eq!(ask(&replayed, &mut first, 65532), (1, 1 + 2));
            call(&replayed, &mut first, "setup");
            let captured = replayed
                .capture(&mut first, &guest.facts.facts)
                .expect("it can be captured");
            assert_eq!(captured.pages, 3);
            assert_eq!(
                captured.globals.0,
                [
                    (0, Value::I32(-11)),
                    (2, Value::I64(12)),
                    (3, Value::F32(0x7fa0_0001)),
                    (4, Value::F64((-0.0f64).to_bits())),
                    (5, Value::V128((-15i64).cast_unsigned(), 16)),
                ]
            );
            let file = tempfile::tempfile().expect("a file");
            replayed.write(&first, &file).expect("it can be written");
            setup.release(&mut first, &replayed);
            drop(first);

            let state = compile(&engine, &captured.state);
            let replays = [
                SnapshotImage::new(&linker, &main, &state, &captured.globals),
                SnapshotImage::of_file(&linker, &main, file, &captured.globals),
            ];
            let replays = replays.map(|replay| replay.expect("the parts fit"));
            for replay in replays.iter().cycle().take(1000) {
                let mut store = store(&engine);
                let replayed = replay.instantiate(&mut store).expect("an instance");
                assert_eq!(ask(&replayed, &mut store, 196_604), (3, 10 + 100));
                assert_eq!(ask(&replayed, &mut store, 65_532), (3, 10 + 2));
                let again = replayed
                    .capture(&mut store, &guest.facts.facts)
                    .expect("it can be captured");
                assert_eq!(again, captured);
                call(&replayed, &mut store, "spoil");
                replay.release(&mut store, &replayed);
            }
            // the set-up's own beginning is as fresh
            let mut last = store(&engine);
            let replayed = setup.instantiate(&mut last).expect("an instance");
            assert_eq!(ask(&replayed, &mut last, 65532), (1, 1 + 2));
        }
    }

    #[test]
    fn unmapping_a_memory_leaves_what_it_began_with() {
        let guest = rewritten(
            r#"(module (memory 2) (data (i32.const 5) "\07") (func (export "spoil")
                (memory.fill (i32.const 0) (i32.const 0xee) (i32.const 131072))))"#,
        );
        let engine = engine::for_running(Compiler::BEST, 1 << 19).expect("a pool");
        let main = compile(&engine, &guest.bytes);
        let initial_memory = compile(&engine, &guest.facts.initial_memory);
        let replay = SnapshotImage::new(
            &Linker::new(&engine),
            &main,
            &initial_memory,
            &Globals::default(),
        )
        .expect("the parts fit");
        let mut store = store(&engine);
        let replayed = replay.instantiate(&mut store).expect("an instance");
        let before = replayed.memory.data(&store).to_vec();
        call(&replayed, &mut store, "spoil");
        assert_eq!(replayed.memory.data(&store)[5], 0xee);
        unmap(&mut store, replayed.memory);
        if cfg!(target_os = "linux") {
            assert_eq!(replayed.memory.data(&store), before);
        }
    }

    #[test]
    fn globals_that_are_not_the_modules_are_refused() {
        let engine = engine::without_pool(Compiler::BEST, 1 << 19).expect("an engine");
        let guest = rewritten(COUNTER);
        let main = compile(&engine, &guest.bytes);
        let initial_memory = compile(&engine, &guest.facts.initial_memory);
        for (index, value) in [
            (0, Value::I64(1)),
            (1, Value::I32(1)),
            (9, Value::I32(1)),
            (5, Value::F64(0)),
        ] {
            let globals = Globals(vec![(index, value)]);
            assert!(
                SnapshotImage::new(&linker(&engine), &main, &initial_memory, &globals).is_err()
            );
        }
    }

    #[test]
    fn what_a_stores_limits_do_not_allow_is_not_replayed() {
        let guest = rewritten("(module (memory 4))");
        let engine = engine::for_running(Compiler::BEST, 1 << 19).expect("a pool");
        let main = compile(&engine, &guest.bytes);
        let initial_memory = compile(&engine, &guest.facts.initial_memory);
        let replay = SnapshotImage::new(
            &Linker::new(&engine),
            &main,
            &initial_memory,
            &Globals::default(),
        )
        .expect("the parts fit");
        let limits = wasmtime::StoreLimitsBuilder::new()
            .memory_size(3 * PAGE as usize)
            .build();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        let mut unlimited = Store::new(&engine, wasmtime::StoreLimits::default());
        unlimited.limiter(|limits| limits);
        assert!(replay.instantiate(&mut unlimited).is_ok());
        assert!(replay.instantiate(&mut store).is_err());
    }

    #[test]
    fn globals_survive_being_written_down() {
        let globals = Globals(vec![
            (0, Value::I32(i32::MIN)),
            (7, Value::F64(f64::NAN.to_bits())),
            (8, Value::V128(u64::MAX, 1)),
        ]);
        let json = serde_json::to_string(&globals).expect("it serialises");
        let back: Globals = serde_json::from_str(&json).expect("it is what was written");
        assert_eq!(back, globals);
    }
}
