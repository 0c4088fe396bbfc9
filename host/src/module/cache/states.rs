//! States of fixtures, which one run keeps for all its processes, under names of its own.
//!
//! A small one is written for the compiler, as a module; a large one as a memory that is mapped as
//! it is. They go with the run ([`Cache::remove_run`]), or with the next one after it was killed.

use super::{Cache, now};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Read};
use std::time::Duration;

/// The largest state that is written down for the compiler, in bytes: several times what a
/// worker takes to be small.
const MAX_STATE: u64 = 64 << 20;
/// How long a large state may take to be written: 4 GiB to a slow disk.
pub const KEEPING: Duration = Duration::from_secs(600);
impl Cache {
    /// What no other run's names begin with.
    pub fn name_of_a_run() -> String {
        format!("run-{}-{}", std::process::id(), now())
    }

    /// The name of a run's file for a number, the same in all processes of the run; or of one
    /// worker's, if that is what is named.
    pub fn name_in_a_run(run: &str, number: usize, extension: &str) -> String {
        format!("{run}-{number}.{extension}")
    }

    /// Keeps a memory under a name that ends in `.state`, for all processes of a run: whoever
    /// comes first writes it, the others wait for that. Gives what is to be known beside
    /// it, as the first has told it.
    ///
    /// # Errors
    /// What `write` says, or that the file system refuses it.
    pub fn keep_memory<B: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        write: impl FnOnce(&File) -> Result<B, String>,
    ) -> Result<B, String> {
        let refused = |e: io::Error| format!("it cannot be written: {e}");
        let locked = self.lock_within(name, KEEPING, || true);
        let _lock = locked.ok_or("its lock cannot be had, or another worker takes too long")?;
        let beside = format!("{name}.json");
        if let Ok(file) = self.open_file(&beside) {
            let told = serde_json::from_reader(io::BufReader::new(file));
            return told.map_err(|e| refused(e.into()));
        }
        let file = self.new_file().map_err(refused)?;
        let told = write(file.as_file())?;
        file.persist(self.dir.join(name))
            .map_err(|e| refused(e.error))?;
        let bytes = serde_json::to_vec(&told).map_err(|e| refused(e.into()))?;
        self.write_whole(&beside, &bytes).map_err(refused)?;
        Ok(told)
    }

    /// Opens such a memory.
    ///
    /// # Errors
    /// If it is gone or not this user's alone.
    pub fn open_memory(&self, name: &str) -> io::Result<File> {
        self.open_file(name)
    }

    /// Writes a state that is to be compiled, under a name that ends in `.state`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_state(&self, name: &str, module: &[u8]) -> io::Result<()> {
        self.write_whole(name, module)
    }

    /// Reads such a state.
    ///
    /// # Errors
    /// Those of the file system; that it is larger than any.
    pub fn read_state(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.open_file(name)?;
        file.take(MAX_STATE + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > MAX_STATE {
            true => Err(io::Error::other("it is larger than any state")),
            false => Ok(bytes),
        }
    }

    /// Removes such a state, if it is there.
    pub fn remove_state(&self, name: &str) {
        let _ = fs::remove_file(self.dir.join(name));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cache;
    use super::*;
    use std::io::Write as _;

    #[test]
    fn of_all_that_would_keep_a_memory_one_does_and_the_others_are_told() {
        let (_root, cache) = cache();
        let write = |number: u8| {
            cache.keep_memory("run-1-0.state", |mut file: &File| {
                file.write_all(&[number]).map_err(|e| e.to_string())?;
                Ok(number)
            })
        };
        let refused = cache.keep_memory::<u8>("run-1-0.state", |_| Err("no room".to_owned()));
        assert_eq!(refused, Err("no room".to_owned()));
        assert!(cache.open_memory("run-1-0.state").is_err());
        let told = std::thread::scope(|scope| {
            let each = [1, 2, 3, 4].map(|number| scope.spawn(move || write(number)));
            each.map(|one| one.join().expect("no panic").expect("it is kept"))
        });
        let mut kept = Vec::new();
        let mut file = cache.open_memory("run-1-0.state").expect("it is there");
        file.read_to_end(&mut kept).expect("readable");
        assert_eq!([kept[0]; 4], told);
        assert_eq!(kept.len(), 1);
        cache.remove_run("run-1");
        assert_eq!(fs::read_dir(cache.dir()).expect("readable").count(), 0);
    }
}
