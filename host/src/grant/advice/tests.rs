use super::*;
use crate::grant::{Access, DirGrant};

fn preopen(host: &Path, guest: &[&str], by: GrantedBy) -> Preopen {
    let grant = DirGrant {
        host: host.to_owned(),
        guest: guest.iter().map(|g| (*g).to_owned()).collect(),
        access: Access::ReadOnly,
    };
    Preopen::granted(guest[0], &grant, by)
}

fn with(
    tried: AccessKind,
    why: DenialReason,
    preopen: &Preopen,
    path: &str,
    how: HowToGrant,
) -> String {
    let given = GuestPath::new(path.as_bytes(), path.len());
    let advice = Advice {
        how,
        home_dir: None,
    };
    denied(tried, Target::Entry, why, Some(preopen), &given, advice).to_string()
}

#[test]
fn a_build_tool_grants_the_folder_of_the_file() {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(root.path().join("tests/snap")).expect("made");
    let package = preopen(root.path(), &["."], GrantedBy::Module);
    let told = |tried, why, path| with(tried, why, &package, path, HowToGrant::Rw);
    assert_eq!(
        told(
            AccessKind::Write,
            DenialReason::ReadOnly,
            "tests/snap/a.snap.new"
        ),
        "tried to write tests/snap/a.snap.new: read-only; --rw tests/snap allows it"
    );
    assert_eq!(
        told(AccessKind::Create, DenialReason::ReadOnly, "new"),
        "tried to create new: read-only"
    );
    assert_eq!(
        told(AccessKind::Write, DenialReason::ReadOnly, "home/me/x"),
        "tried to write home/me/x (or /home/me/x): read-only; --rw home/me or --rw /home/me allows it"
    );
    assert_eq!(
        told(AccessKind::Read, DenialReason::NotThere, "data/x.txt"),
        format!(
            "tried to read data/x.txt (or /data/x.txt): not there; relative paths lead to {}",
            root.path().display()
        )
    );
    // where nothing is granted a folder has to be named in full
    let nothing = Preopen::nothing("/");
    assert_eq!(
        with(
            AccessKind::Read,
            DenialReason::NotGranted,
            &nothing,
            "x",
            HowToGrant::Rw
        ),
        "tried to read x (or /x): nothing is granted there; --dir . allows it"
    );
    let fixture = preopen(root.path(), &["/srv"], GrantedBy::Fixture);
    for how in [HowToGrant::Rw, HowToGrant::Dir] {
        assert_eq!(
            with(
                AccessKind::Write,
                DenialReason::ReadOnly,
                &fixture,
                "x",
                how
            ),
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
    let package = preopen(&package, &["."], GrantedBy::Module);
    let from_root = root.display().to_string();
    let told = |tried, why, path: &str, how| {
        let path = format!("{}/{path}", from_root.trim_start_matches('/'));
        let told = with(tried, why, &package, &path, how);
        told.replace(&path, "P")
            .replace("/P", "ABSOLUTE")
            .replace(&from_root, "R")
    };
    let read = |path| {
        told(
            AccessKind::Read,
            DenialReason::NotThere,
            path,
            HowToGrant::Rw,
        )
    };
    assert_eq!(
        read("elsewhere/file"),
        "tried to read ABSOLUTE (or P): nothing is granted there; --dir R/elsewhere allows it; relative paths lead to R/package"
    );
    assert_eq!(
        told(
            AccessKind::Read,
            DenialReason::NotThere,
            "elsewhere",
            HowToGrant::Dir
        ),
        "tried to read ABSOLUTE (or P): nothing is granted there; --dir ABSOLUTE allows it; relative paths lead to R/package"
    );
    assert!(read("elsewhere/missing").contains(": not there"));
    let write = |path, how| told(AccessKind::Write, DenialReason::ReadOnly, path, how);
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
            AccessKind::Write,
            DenialReason::ReadOnly,
            &package,
            "own/new",
            HowToGrant::Rw
        ),
        "tried to write own/new: read-only; --rw own allows it"
    );
    // nor what the guest's own folder hides
    let scratch = Preopen::scratch(&from_root);
    let hidden = |path| {
        with(
            AccessKind::Read,
            DenialReason::NotThere,
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
    let granted_as_root = preopen(Path::new("/usr"), &["/"], GrantedBy::Run);
    let told = with(
        AccessKind::Read,
        DenialReason::NotThere,
        &granted_as_root,
        "etc",
        HowToGrant::Dir,
    );
    assert!(told.contains("not there"), "{told}");
}

#[test]
fn a_flag_is_one_word_for_a_shell_and_names_no_folder_that_it_cannot() {
    let nothing = Preopen::nothing("/");
    let told = |tried, path| {
        with(
            tried,
            DenialReason::NotGranted,
            &nothing,
            path,
            HowToGrant::Dir,
        )
        .rsplit_once(": nothing is granted there")
        .map(|(_, advice)| advice.to_owned())
    };
    let advice = |advice: &str| Some(advice.to_owned());
    assert_eq!(
        told(AccessKind::Read, "my data/x"),
        advice("; --dir 'my data' or --dir '/my data' allows it")
    );
    assert_eq!(told(AccessKind::Read, "x"), advice("; --dir . allows it"));
    assert_eq!(
        told(AccessKind::Write, "../x"),
        advice("; --dir ..:rw allows it")
    );
    assert_eq!(told(AccessKind::Read, "a/../../b/x"), advice(""));
    assert_eq!(told(AccessKind::Read, "."), advice("; --dir . allows it"));
}
