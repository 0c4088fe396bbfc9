//! Asks std for its process's number and for the temporary folder: in tests of libtest's, and in a
//! suite whose setup is replayed.

#[cfg(test)]
mod tests {
    macro_rules! ids {
        ($($name:ident)*) => {
            $(
                #[test]
                fn $name() {
                    println!("id {}", std::process::id());
                }
            )*
        };
    }
    ids! {
        a00 a01 a02 a03 a04 a05 a06 a07 a08 a09 a10 a11 a12 a13 a14 a15
        a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27 a28 a29 a30 a31
    }
}

#[cfg(test)]
#[wasmtest::suite(split)]
mod replayed {
    pub struct Before {
        id: u32,
        folder: std::path::PathBuf,
    }

    #[wasmtest::setup]
    fn before() -> Before {
        Before {
            id: std::process::id(),
            folder: std::env::temp_dir(),
        }
    }

    #[wasmtest::test(cases(a = 0, b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7))]
    fn another_process_than_the_setups(number: u32, before: &Before) {
        let id = std::process::id();
        println!("id {id}");
        assert_ne!(id, 0, "{number}");
        assert_eq!(id, std::process::id());
        assert_ne!(before.id, 0);
        assert_eq!(before.folder, std::env::temp_dir());
        assert_eq!(before.folder, std::path::Path::new("/tmp"));
    }
}
