//! The engines that guests run in: for each compiler one with a pool, and one for what no slot of
//! that has room for. Each is made when it is first needed, since most runs need one alone.

use super::engine;
use super::load::Host;
use super::program::LoadProblem;
use crate::protocol::Compiler;
use std::cell::{Cell, OnceCell};

/// The engines of a sandbox.
pub(super) struct Hosts {
    wasm_stack: usize,
    /// How many there are.
    made: Cell<usize>,
    of_each: [OfCompiler; Compiler::BEST_FIRST.len()],
}

#[derive(Default)]
struct OfCompiler {
    pooled: OnceCell<Host>,
    plain: OnceCell<Host>,
}

impl Hosts {
    /// With that engine made at once which is most likely needed, for stacks of so many bytes.
    ///
    /// # Errors
    /// If wasmtime cannot work on this machine.
    pub(super) fn new(likely: Compiler, wasm_stack: usize) -> anyhow::Result<Hosts> {
        let hosts = Hosts {
            wasm_stack,
            made: Cell::new(0),
            of_each: Default::default(),
        };
        hosts.pooled(likely)?;
        Ok(hosts)
    }

    /// The engine of a compiler's code that has a pool, where it can have one.
    pub(super) fn pooled(&self, compiler: Compiler) -> anyhow::Result<&Host> {
        self.there(&self.of(compiler).pooled, || {
            engine::for_running(compiler, self.wasm_stack)
        })
    }

    /// The engine of a compiler's code that has none.
    pub(super) fn plain(&self, compiler: Compiler) -> Result<&Host, LoadProblem> {
        let there = self.there(&self.of(compiler).plain, || {
            engine::without_pool(compiler, self.wasm_stack)
        });
        there.map_err(|e| LoadProblem::Artefact(e.to_string()))
    }

    fn of(&self, compiler: Compiler) -> &OfCompiler {
        let mut all = Compiler::BEST_FIRST.into_iter();
        let at = all.position(|other| other == compiler);
        &self.of_each[at.expect("all compilers are in this list")]
    }

    /// How many were made: each takes memory of its own.
    pub(super) fn made(&self) -> usize {
        self.made.get()
    }

    fn there<'c>(
        &self,
        cell: &'c OnceCell<Host>,
        make: impl FnOnce() -> anyhow::Result<wasmtime::Engine>,
    ) -> anyhow::Result<&'c Host> {
        match cell.get() {
            Some(host) => Ok(host),
            None => {
                let host = Host::new(make()?);
                self.made.set(self.made.get() + 1);
                Ok(cell.get_or_init(|| host))
            }
        }
    }
}
