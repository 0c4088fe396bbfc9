//! Memories that lie in files: how a large state is kept, and begun from.
//!
//! The file holds the memory's bytes as they lie in it, with holes where there are only
//! zeros. They are written from where they are, and mapped copy-on-write by every instance,
//! so that neither keeping a state nor beginning from it makes a copy of it.

use crate::instrument::{PAGE, used};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use wasmtime::{AsContextMut, Memory, MemoryType};

/// Writes a memory's bytes to a file that is empty.
///
/// # Errors
/// Those of the file system.
pub fn write(memory: &[u8], file: &File) -> io::Result<()> {
    file.set_len(memory.len() as u64)?;
    for run in used(memory) {
        file.write_all_at(&memory[run.clone()], run.start as u64)?;
    }
    Ok(())
}

/// What 32 bits can address, in pages of WebAssembly's.
const MOST_PAGES: u64 = (1 << 32) / PAGE;

/// A file that holds a memory.
pub struct Mapped {
    file: File,
    ty: MemoryType,
}

impl Mapped {
    /// Memories that begin with what the file holds, and may grow to so many pages.
    ///
    /// # Errors
    /// If it holds no memory.
    pub fn new(file: File, maximum: Option<u64>) -> wasmtime::Result<Mapped> {
        let length = file.metadata()?.len();
        let pages = length / PAGE;
        let is_memory = length > 0 && length.is_multiple_of(PAGE) && pages <= MOST_PAGES;
        if !is_memory || maximum.is_some_and(|most| most < pages) {
            wasmtime::bail!("{length} bytes are no memory of the module's");
        }
        let maximum = maximum.map(u32::try_from).transpose()?;
        let ty = MemoryType::new(u32::try_from(pages)?, maximum);
        Ok(Mapped { file, ty })
    }

    /// Such a memory. It is its store's, and unmapped with that.
    ///
    /// # Errors
    /// If the store's limits do not allow it, or the system does not map it.
    pub fn memory(&self, mut store: impl AsContextMut) -> wasmtime::Result<Memory> {
        let memory = Memory::new(&mut store, self.ty.clone())?;
        let (start, length) = (memory.data_ptr(&store), memory.data_size(&store));
        // SAFETY: the range is that of a memory which was made just now, outside of any pool: it
        // is made of whole pages that nobody else uses, nobody holds a reference to its bytes,
        // and they may be anything. What lies beyond it stays as it is.
        let mapped = unsafe {
            libc::mmap(
                start.cast(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_FIXED,
                self.file.as_raw_fd(),
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().into());
        }
        Ok(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::engine;
    use wasmtime::Store;

    fn written(memory: &[u8]) -> File {
        let file = tempfile::tempfile().expect("a file");
        write(memory, &file).expect("it is written");
        file
    }

    #[test]
    fn a_memory_begins_with_what_was_written_and_changes_no_other() {
        let mut bytes = vec![0; 5 * PAGE as usize];
        for at in [0, 70_000, 5 * PAGE as usize - 1] {
            bytes[at] = 7;
        }
        let mapped = Mapped::new(written(&bytes), Some(9)).expect("it holds one");
        for engine in engine::of_each_kind() {
            for _ in 0..3 {
                let mut store = Store::new(&engine, ());
                let memory = mapped.memory(&mut store).expect("it is mapped");
                assert!(memory.data(&store) == bytes);
                memory.data_mut(&mut store).fill(9);
                memory.grow(&mut store, 2).expect("it may grow");
                let grown = &memory.data(&store)[5 * PAGE as usize..];
                assert!(grown.len() == 2 * PAGE as usize && grown.iter().all(|b| *b == 0));
                assert_eq!(memory.data(&store)[0], 9);
            }
        }
    }

    #[test]
    fn what_is_no_memory_is_not_mapped() {
        for length in [0, 100, PAGE as usize + 1, 3 * PAGE as usize] {
            let file = written(&vec![1; length]);
            assert!(Mapped::new(file, Some(2)).is_err(), "{length}");
        }
    }
}
