//! Says what std knows of the temporary folder and of its process.

fn main() {
    let folder = std::env::temp_dir();
    println!("{} {}", folder.display(), std::process::id());
}
