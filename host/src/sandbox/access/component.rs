//! `wasi:filesystem/types` of WASI 0.2, watched.
//!
//! All of it is wasmtime's own; of what takes a path, what is refused is noted.

use super::super::limits::Limits;
use super::super::quota::{Account, Refused};
use super::super::state::State;
use super::folders::Folder;
use super::sources::{Lookup, Wanted};
use super::stored::Stored;
use super::{AccessError, PathArg, Source, Watch};
use crate::event::denials::AccessKind;
use crate::grant::advice::{GuestPath, Target};
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
        let (wasi, watch, account, touched, limits) = state.parts();
        Watched {
            files: wasi.filesystem(),
            watch,
            account,
            touched,
            limits,
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
    account: &'a mut Account,
    touched: &'a mut bool,
    limits: &'a mut Limits,
    /// Whether files had been touched before this call.
    before: bool,
}

/// A path, and the number of its folder's descriptor; wasmtime's function takes both away.
type At = (u32, GuestPath);

fn at(fd: &Resource<Descriptor>, path: &str) -> At {
    (fd.rep(), GuestPath::new(path.as_bytes(), path.len()))
}

fn access_error(error: &FsError) -> Option<AccessError> {
    match error.downcast_ref()? {
        Code::Access => Some(AccessError::OfTheSystem),
        Code::NoEntry => Some(AccessError::NoEntry),
        Code::NotPermitted | Code::ReadOnly => Some(AccessError::NotPermitted),
        _ => None,
    }
}

impl Watched<'_> {
    fn look<T>(
        &mut self,
        result: FsResult<T>,
        tried: AccessKind,
        target: Target,
        at: impl IntoIterator<Item = At>,
    ) -> FsResult<T> {
        if let Some(error) = result.as_ref().err().and_then(access_error) {
            let args = at.into_iter().map(|at| self.path_arg(at)).collect();
            if self.watch.refused(tried, target, error, args) {
                *self.touched = self.before;
            }
        }
        result
    }

    /// Counts what may be made in this folder.
    fn make_room(&mut self, makes: bool, folder: u32) -> FsResult<()> {
        match makes && !self.account.has_room_for_entry() {
            true => self.refuse(folder),
            false => Ok(()),
        }
    }

    /// Refuses what there is no room for, unless it is for a folder of the host's.
    #[cold]
    fn refuse(&mut self, descriptor: u32) -> FsResult<()> {
        if self.is_own(descriptor) {
            self.account.refuse();
            return Err(Code::InsufficientSpace.into());
        }
        Ok(())
    }

    /// Whether what is below a descriptor, or behind it, is in the guest's own folders.
    fn is_own(&mut self, descriptor: u32) -> bool {
        if !self.account.tells_apart() {
            return true;
        }
        if self.account.is_elsewhere(descriptor) {
            return false;
        }
        let preopen = self.path_arg((descriptor, GuestPath::new(&[], 0))).preopen;
        preopen.is_none_or(|at| self.watch.list()[at].is_own())
    }

    /// A stream to a file, of which what is written counts if it is the guest's own.
    fn counted(
        &mut self,
        file: u32,
        stream: Resource<OutputStream>,
    ) -> FsResult<Resource<OutputStream>> {
        if !self.is_own(file) {
            return Ok(stream);
        }
        let inner = self.files.table.delete(stream).map_err(FsError::trap)?;
        let counted: OutputStream = Box::new(Stored::new(inner, self.account.clone()));
        self.files.table.push(counted).map_err(FsError::trap)
    }

    /// Notes what the system refused.
    fn look_at_room<T>(&mut self, file: u32, result: FsResult<T>) -> FsResult<T> {
        match result.as_ref().err().and_then(FsError::downcast_ref) {
            Some(Code::FileTooLarge) => self.account.refused_by_the_system(Refused::Length),
            Some(Code::InsufficientSpace) if self.is_own(file) => {
                self.account.refused_by_the_system(Refused::Disk);
            }
            _ => {}
        }
        result
    }

    /// The same attempt where a name that `file!()` gives leads to; `None` if it is not
    /// answered. What is there has to be `right`.
    #[cold]
    fn as_source<T>(
        &mut self,
        (tried, target): (AccessKind, Target),
        at: &At,
        call: impl FnOnce(&mut Self, Resource<Descriptor>, String) -> FsResult<T>,
    ) -> Option<FsResult<T>> {
        let (fd, given) = at;
        let lookup = match (tried, target) {
            (AccessKind::Create, _) => Lookup::Create,
            (AccessKind::LookAt, _) => Lookup::Look,
            (AccessKind::Write, Target::Entry) => Lookup::Write,
            (AccessKind::Read, Target::Entry) => Lookup::Read,
            _ => return None,
        };
        let source = self.watch.source(lookup, &given.text);
        let source = source.filter(|_| given.is_whole)?;
        let from = self.path_arg((*fd, GuestPath::new(&[], 0))).preopen;
        if !self.watch.is_package(from) {
            return None;
        }
        let all = preopens::Host::get_directories(&mut self.files).ok()?;
        let mut folder = None;
        for (i, (fd, _)) in all.into_iter().enumerate() {
            match i == source.preopen {
                true => folder = Some(fd),
                false => drop(self.files.table.delete(fd)),
            }
        }
        let folder = folder?;
        let found = self.found(&source, folder.rep(), call);
        let _ = self.files.table.delete(folder);
        if found.is_some() {
            self.watch.found.add(lookup, &source.below);
        }
        let error = found
            .as_ref()
            .and_then(|f| f.as_ref().err())
            .and_then(access_error);
        if source.changes()
            && let Some(error) = error
        {
            let arg = source.path_arg(self.watch);
            self.watch.refused(tried, target, error, vec![arg]);
        }
        found
    }

    /// The folder that a guest has under this number, if that is known.
    fn folder(&mut self, fd: u32) -> Option<Folder> {
        if let Some(folder) = self.watch.folders.get(fd) {
            return Some(folder.clone());
        }
        self.path_arg((fd, GuestPath::new(&[], 0)))
            .preopen
            .map(Folder::at)
    }

    /// Remembers as what a folder was opened.
    fn remember(&mut self, (fd, given): &At, opened: &impl Opened) {
        let (true, true, Some(opened)) = (self.watch.remembers(), given.is_whole, opened.number())
        else {
            return;
        };
        if let Some(folder) = self.folder(*fd).and_then(|f| f.join(&given.text)) {
            self.watch.folders.add(opened, folder);
        }
    }

    fn found<T>(
        &mut self,
        source: &Source,
        folder: u32,
        call: impl FnOnce(&mut Self, Resource<Descriptor>, String) -> FsResult<T>,
    ) -> Option<FsResult<T>> {
        let folder = || Resource::new_borrow(folder);
        if !source.changes() {
            let path = source.path.clone();
            let follow = PathFlags::SYMLINK_FOLLOW;
            let stat = HostDescriptor::stat_at(&mut self.files, folder(), follow, path).ok()?;
            let wanted = match source.wanted {
                Wanted::File => DescriptorType::RegularFile,
                Wanted::Folder => DescriptorType::Directory,
            };
            if stat.type_ != wanted {
                return None;
            }
        }
        Some(call(self, folder(), source.path.clone()))
    }

    #[cold]
    fn path_arg(&mut self, (fd, path): At) -> PathArg {
        let folder = match self.files.table.get(&Resource::<Open>::new_borrow(fd)) {
            Ok(Open::Dir(folder)) => Some(folder.clone()),
            _ => None,
        };
        // which of those it was given the guest holds, only the files behind them tell
        let mut preopen = None;
        let given = preopens::Host::get_directories(&mut self.files);
        for (i, (fd, _)) in given.unwrap_or_default().into_iter().enumerate() {
            if let (Ok(Open::Dir(given)), Some(folder)) = (self.files.table.delete(fd), &folder)
                && Arc::ptr_eq(&given.dir, &folder.dir)
                && i < self.watch.list().len()
            {
                preopen = Some(i);
            }
        }
        PathArg {
            preopen,
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
            let (at, Tried { kind, target, makes }) = (at(&$fd, &$path), $tried);
            self.make_room(makes, at.0)?;
            let result = HostDescriptor::$name(&mut self.files, $fd, $($before,)* $path, $($after,)*);
            self.look(result, kind, target, [at])
        }
    )*};
}

/// The same, and where they are refused the path is tried as a source's.
macro_rules! sought {
    ($($name:ident($fd:ident, [$($before:ident: $bty:ty),*] $path:ident [$($after:ident: $aty:ty),*]) -> $ret:ty: $tried:expr;)*) => {$(
        fn $name(
            &mut self,
            $fd: Resource<Descriptor>,
            $($before: $bty,)*
            $path: String,
            $($after: $aty,)*
        ) -> FsResult<$ret> {
            if <$ret as Opened>::OPENS && !self.limits.have_room_for_a_file(self.files.table) {
                // it has no number for files that are too many
                return Err(Code::InsufficientMemory.into());
            }
            let (at, Tried { kind, target, makes }) = (at(&$fd, &$path), $tried);
            self.make_room(makes, at.0)?;
            let result = HostDescriptor::$name(&mut self.files, $fd, $($before,)* $path, $($after,)*);
            if result.as_ref().err().and_then(access_error).is_some()
                && let Some(found) = self.as_source((kind, target), &at, |this, fd, path| {
                    HostDescriptor::$name(&mut this.files, fd, $($before,)* path, $($after,)*)
                })
            {
                if let Some(opened) = found.as_ref().ok().and_then(Opened::number) {
                    self.account.opened(opened, false);
                }
                return found;
            }
            if let Ok(opened) = &result {
                if target == Target::Folder {
                    self.remember(&at, opened);
                }
                if let (true, Some(opened)) = (self.account.tells_apart(), opened.number()) {
                    let is_own = self.is_own(at.0);
                    self.account.opened(opened, is_own);
                }
            }
            self.look(result, kind, target, [at])
        }
    )*};
}

/// What an attempt may give.
trait Opened {
    /// Whether it is something that was opened.
    const OPENS: bool = false;

    /// A folder's number, if it gives that.
    fn number(&self) -> Option<u32> {
        None
    }
}

impl Opened for () {}
impl Opened for DescriptorStat {}
impl Opened for MetadataHashValue {}
impl Opened for Resource<Descriptor> {
    const OPENS: bool = true;

    fn number(&self) -> Option<u32> {
        Some(self.rep())
    }
}

/// What is tried, at what, and whether it may make an entry.
struct Tried {
    kind: AccessKind,
    target: Target,
    makes: bool,
}

fn entry(kind: AccessKind) -> Tried {
    Tried {
        kind,
        target: Target::Entry,
        makes: matches!(kind, AccessKind::Create | AccessKind::Link),
    }
}

fn opening(how: OpenFlags, flags: DescriptorFlags) -> Tried {
    let writes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
        || flags.contains(DescriptorFlags::WRITE);
    Tried {
        kind: match writes {
            true => AccessKind::Write,
            false => AccessKind::Read,
        },
        target: match how.contains(OpenFlags::DIRECTORY) {
            true => Target::Folder,
            false => Target::Entry,
        },
        makes: how.contains(OpenFlags::CREATE),
    }
}

impl HostDescriptor for Watched<'_> {
    sought! {
        create_directory_at(fd, [] path []) -> (): entry(AccessKind::Create);
        stat_at(fd, [flags: PathFlags] path []) -> DescriptorStat: entry(AccessKind::LookAt);
        open_at(fd, [flags: PathFlags] path [how: OpenFlags, mode: DescriptorFlags]) -> Resource<Descriptor>: opening(how, mode);
        metadata_hash_at(fd, [flags: PathFlags] path []) -> MetadataHashValue: entry(AccessKind::LookAt);
    }

    watched! {
        set_times_at(fd, [flags: PathFlags] path [read: NewTimestamp, written: NewTimestamp]) -> (): entry(AccessKind::Write);
        readlink_at(fd, [] path []) -> String: entry(AccessKind::LookAt);
        remove_directory_at(fd, [] path []) -> (): entry(AccessKind::Remove);
        symlink_at(fd, [what: String] path []) -> (): entry(AccessKind::Link);
        unlink_file_at(fd, [] path []) -> (): entry(AccessKind::Remove);
    }

    fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        new: Resource<Descriptor>,
        as_path: String,
    ) -> FsResult<()> {
        let both = [at(&fd, &path), at(&new, &as_path)];
        let comes_in = self.account.tells_apart() && !self.is_own(fd.rep());
        let result = HostDescriptor::rename_at(&mut self.files, fd, path, new, as_path);
        if comes_in {
            self.account.recount();
        }
        self.look(result, AccessKind::Rename, Target::Entry, both)
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
        self.make_room(true, new.rep())?;
        let comes_in = self.account.tells_apart() && !self.is_own(fd.rep());
        if comes_in {
            self.account.recount();
        }
        let result = HostDescriptor::link_at(&mut self.files, fd, flags, path, new, as_path);
        self.look(result, AccessKind::Link, Target::Entry, both)
    }

    same! { HostDescriptor:
        advise(fd: Resource<Descriptor>, offset: Filesize, length: Filesize, advice: Advice) -> FsResult<()>;
        sync_data(fd: Resource<Descriptor>) -> FsResult<()>;
        get_flags(fd: Resource<Descriptor>) -> FsResult<DescriptorFlags>;
        get_type(fd: Resource<Descriptor>) -> FsResult<DescriptorType>;
        set_times(fd: Resource<Descriptor>, read: NewTimestamp, written: NewTimestamp) -> FsResult<()>;
        read(fd: Resource<Descriptor>, length: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)>;
        sync(fd: Resource<Descriptor>) -> FsResult<()>;
        stat(fd: Resource<Descriptor>) -> FsResult<DescriptorStat>;
        read_via_stream(fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<InputStream>>;
        is_same_object(a: Resource<Descriptor>, b: Resource<Descriptor>) -> Result<bool>;
        metadata_hash(fd: Resource<Descriptor>) -> FsResult<MetadataHashValue>;
    }

    fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let of = fd.rep();
        if !self.account.has_room_for_length(size) {
            self.refuse(of)?;
        }
        let set = HostDescriptor::set_size(&mut self.files, fd, size);
        self.look_at_room(of, set)
    }

    fn write(
        &mut self,
        fd: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let of = fd.rep();
        if !self.account.has_room_for_bytes(bytes.len()) {
            self.refuse(of)?;
        }
        let written = HostDescriptor::write(&mut self.files, fd, bytes, offset);
        self.look_at_room(of, written)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<OutputStream>> {
        let of = fd.rep();
        let stream = HostDescriptor::write_via_stream(&mut self.files, fd, offset)?;
        self.counted(of, stream)
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<OutputStream>> {
        let of = fd.rep();
        let stream = HostDescriptor::append_via_stream(&mut self.files, fd)?;
        self.counted(of, stream)
    }

    fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let number = fd.rep();
        let list = HostDescriptor::read_directory(&mut self.files, fd)?;
        if self.watch.remembers()
            && let Some(folder) = self.folder(number)
        {
            self.watch.lists.add(list.rep(), folder);
        }
        Ok(list)
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> Result<()> {
        self.watch.folders.remove(fd.rep());
        self.account.renumbered(fd.rep(), None);
        HostDescriptor::drop(&mut self.files, fd)
    }
}

impl Host for Watched<'_> {
    same! { Host:
        convert_error_code(error: FsError) -> Result<ErrorCode>;
        filesystem_error_code(error: Resource<Error>) -> Result<Option<ErrorCode>>;
    }
}

impl HostDirectoryEntryStream for Watched<'_> {
    fn read_directory_entry(
        &mut self,
        list: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let number = list.rep();
        let entry = HostDirectoryEntryStream::read_directory_entry(&mut self.files, list);
        let code = entry.as_ref().err().and_then(FsError::downcast_ref);
        if matches!(code, Some(Code::IllegalByteSequence))
            && let Some(folder) = self.watch.lists.remove(number)
        {
            self.watch.not_unicode(&folder);
        }
        entry
    }

    fn drop(&mut self, list: Resource<DirectoryEntryStream>) -> Result<()> {
        self.watch.lists.remove(list.rep());
        HostDirectoryEntryStream::drop(&mut self.files, list)
    }
}
