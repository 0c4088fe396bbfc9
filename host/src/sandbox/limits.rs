//! How much a store may hold: asked by wasmtime before anything in it grows.
//!
//! wasmtime's own limits are per memory; what a guest takes of the machine is the sum. Memories
//! of whatever width, tables and the heap of garbage-collected values are counted together, and
//! never given back before the store goes. Of shared memories wasmtime tells only how they begin:
//! see `shared_memory.rs`.

use crate::harness::limit::{LimitHit, MemoryLimitOf};
use crate::protocol::GuestLimits;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::Descriptor;

/// What an element of a table takes, in bytes: a pointer.
const ELEMENT: u64 = 8;

/// What wasmtime says of a growth for which it has not asked [`ResourceLimiter::memory_growing`].
const NOT_ASKED: &str = "memory growth exceeds memory type's limits";

/// What a store holds, and may hold.
#[derive(Debug)]
pub struct Limits {
    limits: GuestLimits,
    /// The memory that a test allows itself, in bytes.
    own: Option<u64>,
    /// Bytes taken.
    used: u64,
    elements: u64,
    /// What the last growth of a memory added, until it is known to have failed.
    pending: u64,
    /// What memories are declared to have from the start, as far as is known.
    declared: u64,
    /// What was refused last.
    hit: Option<LimitHit>,
}

impl Limits {
    /// Nothing is held yet.
    pub fn new(limits: GuestLimits) -> Limits {
        Limits {
            limits,
            own: None,
            used: 0,
            elements: 0,
            pending: 0,
            declared: 0,
            hit: None,
        }
    }

    /// Tells what memories are declared to have from the start, in bytes.
    pub fn set_declared(&mut self, bytes: u64) {
        self.declared = bytes;
    }

    /// That the system had no memory to begin with. The pool asks it for what is declared before
    /// it asks here; and what the system gives goes by the same limit.
    pub fn nothing_to_begin_with(&mut self) {
        let used = std::mem::take(&mut self.used);
        if self.hit.is_none() && self.take(self.declared) {
            // it may have that, and there is none
            self.hit = Some(LimitHit::Machine {
                used: 0,
                asked: self.declared,
                why: "the system refuses it".to_owned(),
            });
        }
        self.used = used;
    }

    /// Limits the memory to what a test says itself, in bytes, where that is less.
    pub fn set_own(&mut self, own: Option<u64>) {
        self.own = own;
    }

    /// The memory that a test allows itself, in bytes.
    pub fn own(&self) -> Option<u64> {
        self.own
    }

    /// How many bytes are held.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// What was refused since this was asked for last.
    pub fn take_hit(&mut self) -> Option<LimitHit> {
        self.hit.take()
    }

    /// The same, which stays to be taken.
    pub fn hit(&self) -> Option<&LimitHit> {
        self.hit.as_ref()
    }

    /// That a limit of another kind was reached.
    pub fn set_hit(&mut self, hit: LimitHit) {
        self.hit = Some(hit);
    }

    /// How many core instances there may be.
    pub fn max_instances(&self) -> Option<u64> {
        self.limits.instances
    }

    /// Whether one more file may be opened, beside those that are open.
    pub fn have_room_for_a_file(&mut self, open: &mut ResourceTable) -> bool {
        let Some(limit) = self.limits.open_files else {
            return true;
        };
        let files = open.iter_mut().filter(|entry| entry.is::<Descriptor>());
        let has_room = (files.count() as u64) < limit;
        if !has_room {
            self.hit = Some(LimitHit::OpenFiles { limit });
        }
        has_room
    }

    /// Takes so many bytes, if they are there to be taken.
    pub fn take(&mut self, bytes: u64) -> bool {
        let of = match (self.own, self.limits.memory) {
            (Some(own), limit) if limit.is_none_or(|limit| own <= limit) => {
                Some((own, MemoryLimitOf::Test))
            }
            (_, Some(limit)) => Some((limit, MemoryLimitOf::Run)),
            (_, None) => None,
        };
        let total = self.used.saturating_add(bytes);
        match of {
            Some((limit, of)) if total > limit => {
                self.hit = Some(LimitHit::Memory {
                    limit,
                    used: self.used,
                    asked: bytes,
                    of,
                });
                false
            }
            _ => {
                self.used = total;
                true
            }
        }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.pending = 0;
        // it fails by itself, and by no limit of the run's
        if maximum.is_some_and(|most| desired > most) {
            return Ok(true);
        }
        let more = desired.saturating_sub(current) as u64;
        let is_taken = self.take(more);
        if is_taken {
            self.pending = more;
        }
        Ok(is_taken)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let why = error.to_string();
        if self.pending == 0 || why == NOT_ASKED {
            return Ok(());
        }
        self.used = self.used.saturating_sub(self.pending);
        self.hit = Some(LimitHit::Machine {
            used: self.used,
            asked: std::mem::take(&mut self.pending),
            why,
        });
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let total = self.elements.saturating_add(more);
        if let Some(limit) = self.limits.table_elements.filter(|limit| total > *limit) {
            self.hit = Some(LimitHit::TableElements {
                limit,
                asked: total,
            });
            return Ok(false);
        }
        // it fails by itself
        if maximum.is_some_and(|most| desired > most) {
            return Ok(true);
        }
        let is_taken = self.take(more.saturating_mul(ELEMENT));
        if is_taken {
            self.elements = total;
        }
        Ok(is_taken)
    }

    fn instances(&self) -> usize {
        let limit = self.limits.instances.unwrap_or(u64::MAX);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        self.instances()
    }

    fn memories(&self) -> usize {
        self.instances()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::engine;
    use wasmtime::{Instance, Module, Store};

    fn limits(memory: u64) -> Limits {
        Limits::new(GuestLimits {
            memory: Some(memory),
            ..GuestLimits::OF_TESTS
        })
    }

    #[test]
    fn memories_and_tables_count_together_and_what_is_refused_is_not_taken() {
        let mut limits = limits(1000);
        let mut grow = |from, to| limits.memory_growing(from, to, None).expect("no trap");
        assert!(grow(0, 400));
        assert!(grow(0, 400));
        assert!(!grow(400, 700));
        assert!(grow(400, 500));
        assert!(limits.table_growing(0, 12, None).expect("no trap"));
        assert!(!limits.table_growing(12, 13, None).expect("no trap"));
        assert_eq!(limits.used(), 996);
        assert_eq!(
            limits.take_hit(),
            Some(LimitHit::Memory {
                limit: 1000,
                used: 996,
                asked: 8,
                of: MemoryLimitOf::Run
            })
        );
    }

    #[test]
    fn the_stricter_of_a_tests_and_the_runs_limit_counts() {
        let mut limits = limits(1000);
        limits.set_own(Some(100));
        assert!(!limits.take(101));
        limits.set_own(Some(5000));
        assert!(limits.take(1000));
        assert!(!limits.take(1));
    }

    #[test]
    fn a_growth_that_fails_for_another_reason_is_given_back() {
        let mut limits = limits(1000);
        limits.memory_growing(0, 900, None).expect("no trap");
        let why = wasmtime::format_err!("no room");
        limits.memory_grow_failed(why).expect("no trap");
        assert_eq!(limits.used(), 0);
        assert!(matches!(limits.take_hit(), Some(LimitHit::Machine { .. })));
    }

    #[test]
    fn what_the_system_has_not_to_begin_with_is_the_limits_or_the_machines() {
        let begins = |declared| {
            let mut limits = limits(1000);
            limits.set_declared(declared);
            limits.nothing_to_begin_with();
            limits.take_hit()
        };
        let asked = |hit| match hit {
            Some(LimitHit::Machine { asked, .. }) => asked,
            hit => panic!("{hit:?}"),
        };
        assert_eq!(asked(begins(900)), 900);
        assert!(matches!(begins(1001), Some(LimitHit::Memory { .. })));
    }

    /// A guest that has a growth refused before the limits were asked must not get back what an
    /// earlier growth took. Only the words of wasmtime's error tell the two apart.
    #[test]
    fn a_growth_beyond_a_memorys_type_gives_nothing_back() {
        let bytes = wat::parse_str(
            "(module (memory 0 0xffffffff (pagesize 1))
                (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))",
        )
        .expect("it assembles");
        for engine in engine::of_each_kind() {
            let module = Module::new(&engine, &bytes).expect("it compiles");
            let mut store = Store::new(&engine, limits(1 << 20));
            store.limiter(|limits| limits);
            store.set_epoch_deadline(1);
            let instance = Instance::new(&mut store, &module, &[]).expect("it is made");
            let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow");
            let grow = grow.expect("it is exported");
            assert_eq!(grow.call(&mut store, 1 << 20).expect("it returns"), 0);
            assert_eq!(grow.call(&mut store, -1).expect("it returns"), -1);
            assert_eq!(store.data().used(), 1 << 20);
            assert_eq!(grow.call(&mut store, 1).expect("it returns"), -1);
        }
    }
}
