use super::*;

fn place(host: &Path, guest: &[&str], by: GrantedBy) -> Place {
    let grant = DirGrant {
        host: host.to_owned(),
        guest: guest.iter().map(|g| (*g).to_owned()).collect(),
        access: Access::ReadOnly,
    };
    Place::granted(guest[0], &grant, by)
}

fn with(tried: Tried, why: Refusal, place: &Place, path: &str, how: HowToGrant) -> String {
    let given = Given::new(path.as_bytes(), path.len());
    let advice = Advice {
        how,
        home_dir: None,
    };
    denied(tried, Target::Entry, why, Some(place), &given, advice).to_string()
}

#[test]
fn a_build_tool_grants_the_folder_of_the_file() {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(root.path().join("tests/snap")).expect("made");
    let package = place(root.path(), &["."], GrantedBy::Module);
    let told = |tried, why, path| with(tried, why, &package, path, HowToGrant::Rw);
    assert_eq!(
        told(Tried::Write, Refusal::ReadOnly, "tests/snap/a.snap.new"),
        "tried to write tests/snap/a.snap.new: read-only; --rw tests/snap allows it"
    );
    assert_eq!(
        told(Tried::Create, Refusal::ReadOnly, "new"),
        "tried to create new: read-only"
    );
    assert_eq!(
        told(Tried::Write, Refusal::ReadOnly, "home/me/x"),
        "tried to write home/me/x (or /home/me/x): read-only; --rw home/me or --rw /home/me allows it"
    );
    assert_eq!(
        told(Tried::Read, Refusal::NotThere, "data/x.txt"),
        format!(
            "tried to read data/x.txt (or /data/x.txt): not there; relative paths lead to {}",
            root.path().display()
        )
    );
    // where nothing is granted a folder has to be named in full
    let nothing = Place::nothing("/");
    assert_eq!(
        with(
            Tried::Read,
            Refusal::NotGranted,
            &nothing,
            "x",
            HowToGrant::Rw
        ),
        "tried to read x (or /x): nothing is granted there; --dir . allows it"
    );
    let fixture = place(root.path(), &["/srv"], GrantedBy::Fixture);
    for how in [HowToGrant::Rw, HowToGrant::Dir] {
        assert_eq!(
            with(Tried::Write, Refusal::ReadOnly, &fixture, "x", how),
            "tried to write /srv/x: read-only"
        );
    }
}

#[test]
fn what_is_there_by_its_absolute_name_is_never_called_missing() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path().canonicalize().expect("there");
    for folder in ["package/own", "elsewhere/.git"] {
        std::fs::create_dir_all(root.join(folder)).expect("made");
    }
    std::fs::write(root.join("elsewhere/file"), "").expect("written");
    let package = root.join("package");
    let package = place(&package, &["."], GrantedBy::Module);
    let from_root = root.display().to_string();
    let told = |tried, why, path: &str, how| {
        let path = format!("{}/{path}", from_root.trim_start_matches('/'));
        let told = with(tried, why, &package, &path, how);
        told.replace(&path, "P")
            .replace("/P", "ABSOLUTE")
            .replace(&from_root, "R")
    };
    let read = |path| told(Tried::Read, Refusal::NotThere, path, HowToGrant::Rw);
    assert_eq!(
        read("elsewhere/file"),
        "tried to read ABSOLUTE (or P): nothing is granted there; --dir R/elsewhere allows it; relative paths lead to R/package"
    );
    assert_eq!(
        told(Tried::Read, Refusal::NotThere, "elsewhere", HowToGrant::Dir),
        "tried to read ABSOLUTE (or P): nothing is granted there; --dir ABSOLUTE allows it; relative paths lead to R/package"
    );
    assert!(read("elsewhere/missing").contains(": not there"));
    let write = |path, how| told(Tried::Write, Refusal::ReadOnly, path, how);
    assert_eq!(
        write("package/own/new", HowToGrant::Rw),
        "tried to write ABSOLUTE (or P): nothing is granted there; --rw R/package/own allows it; relative paths lead to R/package"
    );
    assert_eq!(
        write("package/own/new", HowToGrant::Dir),
        "tried to write ABSOLUTE (or P): nothing is granted there; --dir R/package/own:rw allows it; relative paths lead to R/package"
    );
    // what would be refused
    assert!(!write("elsewhere/new", HowToGrant::Rw).contains("--rw"));
    // a path that is there in the package, too, is not another
    assert_eq!(
        with(
            Tried::Write,
            Refusal::ReadOnly,
            &package,
            "own/new",
            HowToGrant::Rw
        ),
        "tried to write own/new: read-only; --rw own allows it"
    );
    // nor what the guest's own folder hides
    let scratch = Place::scratch(&from_root);
    let hidden = |path| {
        with(
            Tried::Read,
            Refusal::NotThere,
            &scratch,
            path,
            HowToGrant::Rw,
        )
    };
    assert_eq!(
        hidden("elsewhere/file"),
        format!(
            "tried to read {from_root}/elsewhere/file: nothing is granted there; --dir {from_root}/elsewhere allows it"
        )
    );
    for missing in ["elsewhere", "elsewhere/missing"] {
        assert!(hidden(missing).contains("not there"), "{missing}");
    }
    let granted_as_root = place(Path::new("/usr"), &["/"], GrantedBy::Run);
    let told = with(
        Tried::Read,
        Refusal::NotThere,
        &granted_as_root,
        "etc",
        HowToGrant::Dir,
    );
    assert!(told.contains("not there"), "{told}");
}

#[test]
fn a_flag_is_one_word_for_a_shell_and_names_no_folder_that_it_cannot() {
    let nothing = Place::nothing("/");
    let told = |tried, path| {
        with(tried, Refusal::NotGranted, &nothing, path, HowToGrant::Dir)
            .rsplit_once(": nothing is granted there")
            .map(|(_, advice)| advice.to_owned())
    };
    let advice = |advice: &str| Some(advice.to_owned());
    assert_eq!(
        told(Tried::Read, "my data/x"),
        advice("; --dir 'my data' or --dir '/my data' allows it")
    );
    assert_eq!(told(Tried::Read, "x"), advice("; --dir . allows it"));
    assert_eq!(
        told(Tried::Write, "../x"),
        advice("; --dir ..:rw allows it")
    );
    assert_eq!(told(Tried::Read, "a/../../b/x"), advice(""));
    assert_eq!(told(Tried::Read, "."), advice("; --dir . allows it"));
}

#[test]
fn wasi_libc_takes_the_root_and_the_current_folder_for_one() {
    for same in ["", ".", "/", "./", "/."] {
        assert_eq!(as_libc_sees(same), "", "{same}");
    }
    assert_eq!(as_libc_sees("/a/./b/"), "a/b");
    assert_eq!(as_libc_sees(".."), "..");
}
