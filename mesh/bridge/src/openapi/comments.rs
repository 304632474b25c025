//! The comments of the contract, by element.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// The comments of all files, by file and path (descriptor.proto, `SourceCodeInfo.Location.path`).
#[derive(Debug, Default)]
pub(super) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    /// The comments that `descriptors` carry; none when they were compiled without.
    pub(super) fn of(descriptors: &DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        for file in descriptors.files() {
            let info = file.file_descriptor_proto().source_code_info.as_ref();
            for location in info.into_iter().flat_map(|info| &info.location) {
                let text = match (location.leading_comments(), location.trailing_comments()) {
                    ("", trailing) => trailing,
                    (leading, _) => leading,
                };
                let text = unwrap(text);
                if !text.is_empty() {
                    comments.insert((file.name().to_owned(), location.path.clone()), text);
                }
            }
        }
        Self(comments)
    }

    /// The comment of the element at `path` of `file`, or nothing.
    pub(super) fn of_element(&self, file: &FileDescriptor, path: &[i32]) -> String {
        self.0.get(&(file.name().to_owned(), path.to_vec())).cloned().unwrap_or_default()
    }
}

/// Joins the lines of each paragraph, which were broken for the width of a source file.
fn unwrap(text: &str) -> String {
    let mut whole = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            whole.push_str("\n\n");
        } else if line.starts_with("- ") {
            whole.push('\n');
        } else if !whole.is_empty() && !whole.ends_with('\n') {
            whole.push(' ');
        }
        whole.push_str(line);
    }
    whole.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::unwrap;

    #[test]
    fn paragraphs_and_lists_stay_and_broken_lines_are_joined() {
        let text = " One\n two.\n\n Three:\n - a\n   b\n - c\n";
        assert_eq!(unwrap(text), "One two.\n\nThree:\n- a b\n- c");
    }
}
