//! What a guest may reach, opened: environment, folders, scratch.
//!
//! Folders are opened once and shared
//! by the contexts of all tests, so that a test which touches no file costs no
//! file-system call; whether one has touched any is noticed in the host
//! functions themselves.

use super::access::Watch;
use super::call::{Call, GuestAccess, Own, SingleRun};
use super::clock::Clock;
use super::copies::{self, Budget};
use super::process_id;
use super::quota::Account;
use super::scratch::Scratch;
use super::state::State;
use super::stdin::Stdin;
use crate::grant::preopens::{GrantedBy, Preopen, Preopens};
use crate::grant::{Access, DirGrant, HowToGrant, ModuleGrants, SCRATCH, preopens as granted};
use crate::harness::TmpVariable;
use crate::protocol::{FixtureGrant, FixtureNumber, ModuleNumber};
use anyhow::Context as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder, WasiView as _};

/// Where it finds an empty folder, so that attempts at what is not granted reach the host:
/// wasi-libc makes no call for a path that no folder's name is a part of.
const NOTHING: &str = "/";
/// The variable that names a test's own folder.
const TMPDIR: &str = "TMPDIR";

/// The grants of a run, opened.
pub struct Grants {
    dirs: Vec<DirGrant>,
    /// The variables granted, and where a test's own folder is.
    env: Vec<(String, String)>,
    granted_env: Vec<(String, String)>,
    scratch: Scratch,
    /// What modules are granted beside that; the others, nothing.
    modules: HashMap<ModuleNumber, ModuleGrants>,
    /// What host fixtures imply, for the tests that are bound to them.
    fixtures: Vec<FixtureGrant>,
    /// The folders, scratch included, by the module and the fixtures that add to them;
    /// made again with every new scratch folder.
    opened: HashMap<(Option<ModuleNumber>, Vec<FixtureNumber>), Opened>,
    how: HowToGrant,
    /// Where all that the user has lies, as it is set.
    home_dir: Option<PathBuf>,
    /// From what random numbers follow, if they are to.
    random_seed: Option<u64>,
}

/// Folders that are open, and what they are.
#[derive(Clone)]
struct Opened {
    files: WasiFilesystemCtx,
    preopens: Arc<Preopens>,
}

impl Grants {
    /// The grants of a run.
    pub fn new(
        dirs: Vec<DirGrant>,
        mut env: Vec<(String, String)>,
        scratch: Scratch,
        how: HowToGrant,
        home_dir: Option<PathBuf>,
        random_seed: Option<u64>,
    ) -> Self {
        let granted_env = env.clone();
        if env.iter().all(|(name, _)| name != TMPDIR) {
            env.insert(0, (TMPDIR.to_owned(), SCRATCH.to_owned()));
        }
        Grants {
            dirs,
            env,
            granted_env,
            scratch,
            modules: HashMap::new(),
            fixtures: Vec::new(),
            opened: HashMap::new(),
            how,
            home_dir,
            random_seed,
        }
    }

    /// Makes known what a host fixture implies.
    pub fn add_fixture(&mut self, grant: FixtureGrant) {
        self.fixtures.retain(|f| f.number != grant.number);
        self.fixtures.push(grant);
    }

    /// Makes known what a module is granted beside what the run grants.
    pub fn add_module(&mut self, module: ModuleNumber, grants: ModuleGrants) {
        self.opened.clear();
        match grants == ModuleGrants::default() {
            true => self.modules.remove(&module),
            false => self.modules.insert(module, grants),
        };
    }

    /// What one call into a guest gets, and the clock that it reads.
    ///
    /// # Errors
    /// If a folder cannot be opened, or a fixture is not known.
    pub(super) fn state(&mut self, call: &Call<'_>, clock: Clock) -> anyhow::Result<State> {
        let mut builder = WasiCtxBuilder::new();
        builder
            .monotonic_clock(clock)
            .args(call.args)
            .stdout(call.streams.0.clone())
            .stderr(call.streams.1.clone())
            .allow_tcp(false)
            .allow_udp(false);
        if let Some(seed) = self.random_seed {
            builder
                .insecure_random_seed(seed.into())
                .insecure_random(StdRng::seed_from_u64(seed))
                .secure_random(StdRng::seed_from_u64(seed));
        }
        if !call.own.stdin.is_empty() {
            builder.stdin(MemoryInputPipe::new(call.own.stdin.to_vec()));
        }
        let mut folders = Vec::new();
        if let GuestAccess::Granted(module) | GuestAccess::Readable(module) = call.reach {
            match (call.fixtures, self.modules.get(&module)) {
                ([], None) => {
                    builder.envs(&self.env_for(call));
                }
                _ => {
                    let env = self.env_for(call);
                    folders = self.grant_more(module, call, &env, &mut builder)?;
                }
            }
        }
        builder.envs(call.env);
        let mut wasi = builder.build_p1();
        let mut watch = Watch::default();
        let mut account = Account::default();
        match call.reach {
            GuestAccess::Closed => {}
            GuestAccess::Readable(module) => {
                let mut opened = WasiCtxBuilder::new();
                let mut all = Preopens::new(self.how, self.home_dir.clone());
                let read_only = Some(Access::ReadOnly);
                self.open_dirs(Some(module), &folders, read_only, &mut all, &mut opened)?;
                *wasi.ctx().ctx.filesystem() = opened.build().filesystem().clone();
            }
            GuestAccess::Granted(module) => {
                let module = self.modules.contains_key(&module).then_some(module);
                let of = (module, folders);
                let opened = match self.opened.get(&of) {
                    Some(opened) if call.own.copies.is_empty() => opened.clone(),
                    _ => self.open(of, &call.own)?,
                };
                *wasi.ctx().ctx.filesystem() = opened.files;
                let writes_elsewhere = opened.preopens.writes_to_the_host();
                account = Account::new(self.scratch.quota(), writes_elsewhere);
                watch = Watch::new(opened.preopens);
            }
        }
        let mut state = State::new(wasi, clock, watch, process_id::next());
        state.account = account;
        state.output = Some(call.streams.clone());
        Ok(state)
    }

    /// The run's variables for a call, but for those that it brings along itself: a guest sees
    /// the first of two of one name.
    fn env_for(&self, call: &Call<'_>) -> Cow<'_, [(String, String)]> {
        let all = match call.own.tmp_variable {
            TmpVariable::Set => &self.env,
            TmpVariable::Unset => &self.granted_env,
        };
        if call.env.is_empty() {
            return Cow::Borrowed(all);
        }
        all.iter()
            .filter(|(n, _)| !call.brings(n))
            .cloned()
            .collect()
    }

    /// Adds the run's variables, the module's, and what these fixtures imply: their
    /// variables, and their addresses alone. Gives those of them that have a folder.
    fn grant_more(
        &self,
        module: ModuleNumber,
        call: &Call<'_>,
        env: &[(String, String)],
        builder: &mut WasiCtxBuilder,
    ) -> anyhow::Result<Vec<FixtureNumber>> {
        let known = |number| self.fixtures.iter().find(|f| f.number == number);
        // a guest sees the first of two variables of one name
        let of_module = self.modules.get(&module).map_or(&[][..], |m| &m.env);
        let of_module = of_module.iter().filter(|(name, _)| !call.brings(name));
        let mut env: Vec<&(String, String)> = env.iter().chain(of_module).collect();
        let mut addresses = Vec::new();
        let mut folders = Vec::new();
        for number in call.fixtures {
            let grant = known(*number).context("the worker was never told of a host fixture")?;
            env.retain(|(name, _)| grant.env.iter().all(|(n, _)| n != name));
            env.extend(&grant.env);
            addresses.extend(grant.addr);
            if grant.dir.is_some() {
                folders.push(*number);
            }
        }
        for (name, value) in env {
            builder.env(name, value);
        }
        if !addresses.is_empty() {
            builder
                .allow_tcp(true)
                .socket_addr_check(move |address, usage| {
                    let granted = match usage {
                        SocketAddrUse::TcpConnect => addresses.contains(&address),
                        // what connecting does first; nothing can listen there
                        SocketAddrUse::TcpBind => {
                            address.ip().is_unspecified() && address.port() == 0
                        }
                        _ => false,
                    };
                    Box::pin(async move { granted })
                });
        }
        Ok(folders)
    }

    fn open(
        &mut self,
        of: (Option<ModuleNumber>, Vec<FixtureNumber>),
        own: &Own<'_>,
    ) -> anyhow::Result<Opened> {
        let mut builder = WasiCtxBuilder::new();
        let mut all = Preopens::new(self.how, self.home_dir.clone());
        self.open_copies(own, &mut all, &mut builder)?;
        self.open_dirs(of.0, &of.1, None, &mut all, &mut builder)?;
        let scratch = self.scratch.folder().context("the scratch folder")?;
        open_scratch(&mut builder, &scratch)?;
        all.push(Preopen::scratch(SCRATCH));
        // a grant of this name, to wasi-libc, would hide it or be hidden
        if all.list().iter().all(|own| !own.is_called(NOTHING)) {
            let nothing = self.scratch.nothing().context("the empty folder")?;
            builder
                .preopened_dir(nothing, NOTHING, FsPerms::ReadOnly)
                .map_err(anyhow::Error::from)
                .context("the empty folder")?;
            all.push(Preopen::nothing(NOTHING));
        }
        let opened = Opened {
            files: builder.build().filesystem().clone(),
            preopens: Arc::new(all),
        };
        // another test gets copies of its own
        if own.copies.is_empty() {
            self.opened.insert(of, opened.clone());
        }
        Ok(opened)
    }

    /// Copies the folders of which a test has its own, and opens the copies.
    fn open_copies(
        &mut self,
        own: &Own<'_>,
        all: &mut Preopens,
        builder: &mut WasiCtxBuilder,
    ) -> anyhow::Result<()> {
        if own.copies.is_empty() {
            return Ok(());
        }
        let from = own.copies_from.context("nobody said where they lie")?;
        let (path, folder) = self.scratch.copies().context("the folder of copies")?;
        let mut budget = Budget::new();
        for (number, copied) in own.copies.iter().enumerate() {
            let name = number.to_string();
            folder.create_dir(&name).context("the folder of copies")?;
            copies::copy(from, &copied.path, &folder.open_dir(&name)?, &mut budget)?;
            builder
                .preopened_dir(path.join(name), &copied.guest, FsPerms::ReadWrite)
                .map_err(anyhow::Error::from)
                .context("the folder of copies")?;
            all.push(Preopen::copy(&copied.guest));
        }
        // what was copied counts as well
        self.scratch.quota().recount();
        Ok(())
    }

    /// Whether a test had copies of folders, which are still there.
    pub fn has_copies(&self) -> bool {
        self.scratch.has_copies()
    }

    /// Opens what is granted, with the access that it is granted with or with this one.
    fn open_dirs(
        &self,
        module: Option<ModuleNumber>,
        fixtures: &[FixtureNumber],
        access: Option<Access>,
        all: &mut Preopens,
        builder: &mut WasiCtxBuilder,
    ) -> anyhow::Result<()> {
        builder.allow_blocking_current_thread(true);
        let of_fixtures = self
            .fixtures
            .iter()
            .filter(|f| fixtures.contains(&f.number))
            .filter_map(|f| f.dir.as_ref());
        let of_module = module.and_then(|m| self.modules.get(&m));
        let of_module = of_module.map_or(&[][..], |m| &m.dirs);
        for (grant, by) in granted::in_order(of_module, &self.dirs, of_fixtures) {
            // what is granted by a copy's name is not what the test was told of
            let is_hidden = |name: &String| all.list().iter().any(|own| own.is_copy_called(name));
            let guest = grant.guest.iter().filter(|name| !is_hidden(name));
            let grant = &DirGrant {
                guest: guest.cloned().collect(),
                access: match (grant.access, access) {
                    (Access::Sources, _) | (_, None) => grant.access,
                    (_, Some(access)) => access,
                },
                ..grant.clone()
            };
            if all.add(grant, by) {
                open_grant(builder, grant)?;
            }
        }
        Ok(())
    }

    /// After a test that touched files: its scratch folder goes, or stays as it left it.
    pub fn replace_scratch(&mut self, keep: bool) -> Option<std::path::PathBuf> {
        self.opened.clear();
        if keep {
            self.scratch.keep()
        } else {
            self.scratch.discard();
            None
        }
    }
}

fn open_grant(builder: &mut WasiCtxBuilder, grant: &DirGrant) -> anyhow::Result<()> {
    let perms = match grant.access {
        Access::ReadOnly | Access::Sources => FsPerms::ReadOnly,
        Access::ReadWrite => FsPerms::ReadWrite,
    };
    for guest in &grant.guest {
        builder
            .preopened_dir(&grant.host, guest, perms)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("the granted folder {}", grant.host.display()))?;
    }
    Ok(())
}

fn open_scratch(builder: &mut WasiCtxBuilder, scratch: &Path) -> anyhow::Result<()> {
    builder
        .preopened_dir(scratch, SCRATCH, FsPerms::ReadWrite)
        .map_err(anyhow::Error::from)
        .context("the scratch folder")?;
    Ok(())
}

/// What a program is given that runs on this process's own standard streams.
///
/// # Errors
/// If a folder cannot be opened.
pub fn inheriting(given: &SingleRun<'_>) -> anyhow::Result<State> {
    let clock = Clock::showing(Duration::ZERO);
    let mut builder = WasiCtxBuilder::new();
    builder
        .monotonic_clock(clock)
        .args(given.args)
        .envs(given.env)
        .stdin(Stdin::default())
        .inherit_stdout()
        .inherit_stderr()
        .allow_tcp(false)
        .allow_udp(false)
        .allow_blocking_current_thread(true);
    if let Some((stdout, stderr)) = given.kept {
        builder.stdout(stdout.clone()).stderr(stderr.clone());
    }
    let mut all = Preopens::new(HowToGrant::Rw, given.home_dir.map(Path::to_owned));
    for grant in given.dirs {
        if all.add(grant, GrantedBy::Module) {
            open_grant(&mut builder, grant)?;
        }
    }
    if let Some(scratch) = given.scratch {
        open_scratch(&mut builder, scratch)?;
        all.push(Preopen::scratch(SCRATCH));
    }
    let all = Arc::new(all);
    let watch = match given.kept {
        Some(_) => Watch::new(all),
        None => Watch::without_notes(all),
    };
    Ok(State::new(
        builder.build_p1(),
        clock,
        watch,
        std::process::id(),
    ))
}
