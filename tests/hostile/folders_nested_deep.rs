//! attack: folders within folders, 20,000 deep: seen as a stack overflow of the primary
//! expect: passed
//! exit: 0

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn path_create_directory(folder: i32, path: *const u8, length: usize) -> u16;
    fn path_open(
        folder: i32,
        lookup: i32,
        path: *const u8,
        length: usize,
        how: i32,
        rights: u64,
        inheriting: u64,
        flags: i32,
        opened: *mut i32,
    ) -> u16;
    fn fd_close(descriptor: i32) -> u16;
}

#[wasmtest::test]
fn attack() {
    const TMP: i32 = 3;
    const DIRECTORY: i32 = 2;
    // to make a folder, to open one
    const RIGHTS: u64 = 1 << 9 | 1 << 13;
    let name = b"d";
    let mut folder = TMP;
    for depth in 0..20_000 {
        let mut inner = 0;
        // SAFETY: the name is so long, and there is room for a descriptor.
        let made = unsafe { path_create_directory(folder, name.as_ptr(), name.len()) };
        assert_eq!(made, 0, "{depth}");
        // SAFETY: as above.
        let opened = unsafe {
            let (name, length) = (name.as_ptr(), name.len());
            path_open(
                folder, 0, name, length, DIRECTORY, RIGHTS, RIGHTS, 0, &mut inner,
            )
        };
        assert_eq!(opened, 0, "{depth}");
        if folder != TMP {
            // SAFETY: it is this function's.
            unsafe { fd_close(folder) };
        }
        folder = inner;
    }
}
