//! `wasi:filesystem/types` of WASI 0.2, watched.
//!
//! All of it is wasmtime's own; of what takes a path, what is refused is noted.

use super::super::grants::State;
use super::{Came, Given, Spot, Target, Watch};
use crate::denied::Tried;
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::{
    Descriptor as Open, WasiFilesystemCtxView, WasiFilesystemView as _,
};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode as Code;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    self, Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sync::io::streams::{Error, InputStream, OutputStream};
use wasmtime_wasi::p2::{FsError, FsResult};

/// Puts it in front of the one that is there.
///
/// # Errors
/// If wasmtime refuses the definition.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    types::add_to_linker::<State, HasWatched>(linker, |state| {
        let before = std::mem::replace(&mut state.touched_files, true);
        let (wasi, watch, touched) = state.parts();
        Watched {
            files: wasi.filesystem(),
            watch,
            touched,
            before,
        }
    })
}

struct HasWatched;

impl HasData for HasWatched {
    type Data<'a> = Watched<'a>;
}

/// wasmtime's file system, and where to note what it refuses.
struct Watched<'a> {
    files: WasiFilesystemCtxView<'a>,
    watch: &'a mut Watch,
    touched: &'a mut bool,
    /// Whether files had been touched before this call.
    before: bool,
}

/// A path, and the number of its folder's descriptor; wasmtime's function takes both away.
type At = (u32, Given);

fn at(fd: &Resource<Descriptor>, path: &str) -> At {
    (fd.rep(), Given::new(path.as_bytes(), path.len()))
}

fn came(error: &FsError) -> Option<Came> {
    match error.downcast_ref()? {
        Code::Access => Some(Came::OfTheSystem),
        Code::NoEntry => Some(Came::NoEntry),
        Code::NotPermitted | Code::ReadOnly => Some(Came::NotPermitted),
        _ => None,
    }
}

impl Watched<'_> {
    fn look<T>(
        &mut self,
        result: FsResult<T>,
        tried: Tried,
        target: Target,
        at: impl IntoIterator<Item = At>,
    ) -> FsResult<T> {
        if let Some(came) = result.as_ref().err().and_then(came) {
            let spots = at.into_iter().map(|at| self.spot(at)).collect();
            if self.watch.refused(tried, target, came, spots) {
                *self.touched = self.before;
            }
        }
        result
    }

    #[cold]
    fn spot(&mut self, (fd, path): At) -> Spot {
        let folder = match self.files.table.get(&Resource::<Open>::new_borrow(fd)) {
            Ok(Open::Dir(folder)) => Some(folder.clone()),
            _ => None,
        };
        // which of those it was given the guest holds, only the files behind them tell
        let mut place = None;
        let given = preopens::Host::get_directories(&mut self.files);
        for (i, (fd, _)) in given.unwrap_or_default().into_iter().enumerate() {
            if let (Ok(Open::Dir(given)), Some(folder)) = (self.files.table.delete(fd), &folder)
                && Arc::ptr_eq(&given.dir, &folder.dir)
                && i < self.watch.list().len()
            {
                place = Some(i);
            }
        }
        Spot {
            place,
            is_read_only: folder.is_some_and(|f| f.perms == FsPerms::ReadOnly),
            path,
        }
    }
}

/// Methods that are wasmtime's own.
macro_rules! same {
    ($of:ident: $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        fn $name(&mut self, $($arg: $ty),*) -> $ret {
            $of::$name(&mut self.files, $($arg),*)
        }
    )*};
}

/// Methods on one path that are watched: what each tries.
macro_rules! watched {
    ($($name:ident($fd:ident, [$($before:ident: $bty:ty),*] $path:ident [$($after:ident: $aty:ty),*]) -> $ret:ty: $tried:expr;)*) => {$(
        fn $name(
            &mut self,
            $fd: Resource<Descriptor>,
            $($before: $bty,)*
            $path: String,
            $($after: $aty,)*
        ) -> FsResult<$ret> {
            let (at, (tried, target)) = (at(&$fd, &$path), $tried);
            let result = HostDescriptor::$name(&mut self.files, $fd, $($before,)* $path, $($after,)*);
            self.look(result, tried, target, [at])
        }
    )*};
}

fn entry(tried: Tried) -> (Tried, Target) {
    (tried, Target::Entry)
}

fn opening(how: OpenFlags, flags: DescriptorFlags) -> (Tried, Target) {
    let writes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
        || flags.contains(DescriptorFlags::WRITE);
    let tried = if writes { Tried::Write } else { Tried::Read };
    match how.contains(OpenFlags::DIRECTORY) {
        true => (tried, Target::Folder),
        false => (tried, Target::Entry),
    }
}

impl HostDescriptor for Watched<'_> {
    watched! {
        create_directory_at(fd, [] path []) -> (): entry(Tried::Create);
        stat_at(fd, [flags: PathFlags] path []) -> DescriptorStat: entry(Tried::LookAt);
        set_times_at(fd, [flags: PathFlags] path [read: NewTimestamp, written: NewTimestamp]) -> (): entry(Tried::Write);
        open_at(fd, [flags: PathFlags] path [how: OpenFlags, mode: DescriptorFlags]) -> Resource<Descriptor>: opening(how, mode);
        readlink_at(fd, [] path []) -> String: entry(Tried::LookAt);
        remove_directory_at(fd, [] path []) -> (): entry(Tried::Remove);
        symlink_at(fd, [what: String] path []) -> (): entry(Tried::Link);
        unlink_file_at(fd, [] path []) -> (): entry(Tried::Remove);
        metadata_hash_at(fd, [flags: PathFlags] path []) -> MetadataHashValue: entry(Tried::LookAt);
    }

    fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        new: Resource<Descriptor>,
        as_path: String,
    ) -> FsResult<()> {
        let both = [at(&fd, &path), at(&new, &as_path)];
        let result = HostDescriptor::rename_at(&mut self.files, fd, path, new, as_path);
        self.look(result, Tried::Rename, Target::Entry, both)
    }

    fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        new: Resource<Descriptor>,
        as_path: String,
    ) -> FsResult<()> {
        let both = [at(&fd, &path), at(&new, &as_path)];
        let result = HostDescriptor::link_at(&mut self.files, fd, flags, path, new, as_path);
        self.look(result, Tried::Link, Target::Entry, both)
    }

    same! { HostDescriptor:
        advise(fd: Resource<Descriptor>, offset: Filesize, length: Filesize, advice: Advice) -> FsResult<()>;
        sync_data(fd: Resource<Descriptor>) -> FsResult<()>;
        get_flags(fd: Resource<Descriptor>) -> FsResult<DescriptorFlags>;
        get_type(fd: Resource<Descriptor>) -> FsResult<DescriptorType>;
        set_size(fd: Resource<Descriptor>, size: Filesize) -> FsResult<()>;
        set_times(fd: Resource<Descriptor>, read: NewTimestamp, written: NewTimestamp) -> FsResult<()>;
        read(fd: Resource<Descriptor>, length: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)>;
        write(fd: Resource<Descriptor>, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize>;
        read_directory(fd: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>>;
        sync(fd: Resource<Descriptor>) -> FsResult<()>;
        stat(fd: Resource<Descriptor>) -> FsResult<DescriptorStat>;
        read_via_stream(fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<InputStream>>;
        write_via_stream(fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<OutputStream>>;
        append_via_stream(fd: Resource<Descriptor>) -> FsResult<Resource<OutputStream>>;
        is_same_object(a: Resource<Descriptor>, b: Resource<Descriptor>) -> Result<bool>;
        metadata_hash(fd: Resource<Descriptor>) -> FsResult<MetadataHashValue>;
        drop(fd: Resource<Descriptor>) -> Result<()>;
    }
}

impl Host for Watched<'_> {
    same! { Host:
        convert_error_code(error: FsError) -> Result<ErrorCode>;
        filesystem_error_code(error: Resource<Error>) -> Result<Option<ErrorCode>>;
    }
}

impl HostDirectoryEntryStream for Watched<'_> {
    same! { HostDirectoryEntryStream:
        read_directory_entry(stream: Resource<DirectoryEntryStream>) -> FsResult<Option<DirectoryEntry>>;
        drop(stream: Resource<DirectoryEntryStream>) -> Result<()>;
    }
}
