//! The vectors, what was recorded of a real Apache Kafka (`README.md` beside this), and how a test reads them.
//!
//! They are part of the repository. One that is not there fails the test that asks for it: nothing here
//! gives an `Option`, so that no test can pass by having nothing to compare with.

use std::path::{Path, PathBuf};

/// The file or folder `name`, such as `segments/plain`.
///
/// # Panics
///
/// When there is no such vector.
#[must_use]
#[track_caller]
pub fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    assert!(
        path.exists(),
        "the vector tests/vectors/{name} is missing: looked for {}",
        path.display()
    );
    path
}

/// The bytes of the file `name`.
///
/// # Panics
///
/// When there is no such file.
#[must_use]
#[track_caller]
pub fn bytes(name: &str) -> Vec<u8> {
    match std::fs::read(path(name)) {
        Ok(bytes) => bytes,
        Err(why) => panic!("the vector tests/vectors/{name} cannot be read: {why}"),
    }
}

/// The text of the file `name`.
///
/// # Panics
///
/// When there is no such file, or it is not UTF-8.
#[must_use]
#[track_caller]
pub fn text(name: &str) -> String {
    match String::from_utf8(bytes(name)) {
        Ok(text) => text,
        Err(why) => panic!("the vector tests/vectors/{name} is no text: {why}"),
    }
}

/// Names of the files right in `folder` that end in `ending`, as [`bytes`] takes them, in order.
///
/// # Panics
///
/// When there is not one.
#[must_use]
#[track_caller]
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let names = entries(folder, |path| path.is_file());
    let names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    assert!(
        !names.is_empty(),
        "tests/vectors/{folder} has no file that ends in {ending:?}"
    );
    names
}

/// Names of the folders right in `folder`, as [`files`] takes them, in order.
///
/// # Panics
///
/// When there is not one.
#[must_use]
#[track_caller]
pub fn folders(folder: &str) -> Vec<String> {
    let names: Vec<String> = entries(folder, |path| path.is_dir()).collect();
    assert!(
        !names.is_empty(),
        "tests/vectors/{folder} has no folder in it"
    );
    names
}

#[track_caller]
fn entries(folder: &str, wanted: fn(&Path) -> bool) -> impl Iterator<Item = String> {
    let entries = match std::fs::read_dir(path(folder)) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()),
        Err(why) => panic!("tests/vectors/{folder} cannot be listed: {why}"),
    };
    let mut paths: Vec<PathBuf> = entries.filter(|path| wanted(path)).collect();
    paths.sort();
    let folder = folder.to_owned();
    paths.into_iter().filter_map(move |path| {
        let name = path.file_name()?.to_str()?;
        Some(format!("{folder}/{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    /// What a test that asks in vain fails with.
    fn complaint<T>(ask: fn() -> T) -> String {
        let Err(payload) = catch_unwind(ask) else {
            panic!("a missing vector is no failure");
        };
        *payload.downcast::<String>().expect("words")
    }

    #[test]
    fn a_missing_vector_fails_the_test_and_is_named() {
        let complaints = [
            complaint(|| path("segments/none")),
            complaint(|| bytes("segments/none")),
            complaint(|| text("segments/none")),
            complaint(|| files("segments/none", ".log")),
            complaint(|| folders("segments/none")),
        ];
        for said in complaints {
            assert!(
                said.contains("tests/vectors/segments/none is missing"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_folder_without_what_is_asked_for_fails_the_test_and_is_named() {
        let said = complaint(|| files("segments/plain", ".nothing"));
        assert!(said.contains("tests/vectors/segments/plain"), "{said}");
        let said = complaint(|| folders("segments/plain"));
        assert!(said.contains("tests/vectors/segments/plain"), "{said}");
    }

    #[test]
    fn what_is_listed_can_be_read() {
        let cases = folders("segments");
        assert!(cases.contains(&"segments/plain".to_owned()));
        let logs = files("segments/index-roll", ".log");
        assert!(logs.is_sorted() && logs.len() > 1);
        assert!(logs.iter().all(|log| !bytes(log).is_empty()));
        assert!(text("partitioners-and-assignors.txt").contains("murmur2"));
    }
}
