//! Placeholders of other languages: `{id}`, `$id`, `#id`. Here they are text, so a key with one of them
//! would be the same for every value, and a writer would remove a key that nobody reads.
//!
//! Braces alone are not refused: they are the hash tags of Redis Cluster.

use crate::check::key::Outcome;
use crate::parse::errors::Errors;
use crate::parse::parameter::Parameter;
use crate::parse::signature::Function;
use crate::parse::template::{Part, Template};

const SIGILS: &[char] = &['$', '#', '@', '%'];

impl Template {
    /// Refuses texts that would be a placeholder elsewhere, and name something here.
    pub(crate) fn checked(
        self,
        function: &Function,
        outcome: Outcome,
        errors: &mut Errors,
    ) -> Self {
        self.checked_after("", function, outcome, errors)
    }

    /// The same behind a hash tag that stands at the beginning, whatever it is called.
    pub(crate) fn checked_after(
        mut self,
        tag: &str,
        function: &Function,
        outcome: Outcome,
        errors: &mut Errors,
    ) -> Self {
        let mut names: Vec<_> = function.parameters.iter().map(Parameter::name).collect();
        names.extend(function.receiver.map(|_| "self".to_owned()));
        names.extend((outcome != Outcome::Unknown).then(|| "result".to_owned()));
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.strip_prefix(tag).unwrap_or(text)),
            Part::Placeholder(_) => None,
        });
        for (written, ours) in texts.filter_map(|text| placeholder(text, &names)) {
            let message = format!("`{written}` is text here, the same for every value");
            errors.refuse(&self.literal, message, format!("write `{ours}`"));
            self.sound = false;
        }
        self
    }
}

/// The first such placeholder in a text of a template, and ours in its place.
fn placeholder(text: &str, names: &[String]) -> Option<(String, String)> {
    let starts = text
        .char_indices()
        .filter(|(_, char)| *char == '{' || SIGILS.contains(char));
    starts.into_iter().find_map(|(at, first)| {
        let (written, inner) = match first {
            '{' => braced(&text[at..])?,
            _ => sigil(&text[at..])?,
        };
        let ours = ours(inner, names)?;
        Some((written.to_owned(), ours))
    })
}

/// `{inner}`
fn braced(text: &str) -> Option<(&str, &str)> {
    let end = text.find('}')?;
    Some((&text[..=end], &text[1..end]))
}

/// `$inner`, `${inner}`
fn sigil(text: &str) -> Option<(&str, &str)> {
    let after = &text[1..];
    if after.starts_with('{') {
        let (_, inner) = braced(after)?;
        return Some((&text[..inner.len() + 3], inner));
    }
    let end = after
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    (end > 0).then(|| (&text[..=end], &after[..end]))
}

/// `<id.field:?>` of `id.field:?`, where `id` is one of the names.
fn ours(inner: &str, names: &[String]) -> Option<String> {
    let (place, format) = inner.split_once(':').unwrap_or((inner, ""));
    let name = place.split('.').next().unwrap_or_default().trim();
    if names.iter().any(|known| known == name) {
        let format = match format {
            "?" | "hash" => format!(":{format}"),
            _ => String::new(),
        };
        return Some(format!("<{}{format}>", place.trim()));
    }
    // Nothing stands for what follows next. Without parameters there is nothing to name.
    let only = names.first().filter(|_| name.is_empty())?;
    Some(format!("<{only}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(String, String)> {
        placeholder(text, &["id".to_owned(), "user".to_owned()])
    }

    #[test]
    fn what_names_a_parameter_in_another_language_is_found() {
        for (text, written, ours) in [
            ("user:{id}", "{id}", "<id>"),
            ("user:{id:?}:x", "{id:?}", "<id:?>"),
            ("user:{id:>8}", "{id:>8}", "<id>"),
            ("{user.team.0}", "{user.team.0}", "<user.team.0>"),
            ("user:$id:x", "$id", "<id>"),
            ("user:${id}", "${id}", "<id>"),
            ("user:#id", "#id", "<id>"),
            ("user:#{user.id}", "#{user.id}", "<user.id>"),
            ("user:{}", "{}", "<id>"),
            ("{x}:{id}", "{id}", "<id>"),
        ] {
            assert_eq!(
                found(text),
                Some((written.to_owned(), ours.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn hash_tags_and_other_texts_stay() {
        for text in [
            "{cart}:x", "{user:", "}:items", "100%", "a#1", "$ids", "{0}", "user:id", "#", "{",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
