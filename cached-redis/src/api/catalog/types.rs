//! The types of values and of parameters.
//!
//! The compiler's name of what a function keeps is known once it has kept something. Until then there is
//! the text of the source, in which a name may be an alias, or one of several types. Only names of the
//! standard library tell two types apart there.

use std::iter;

use crate::observe::registry::{Function, FunctionInfo};
use crate::wire::template::{Holds, Kind, Template};

/// What serde looks through.
const POINTERS: [&str; 3] = ["Arc", "Rc", "Box"];

/// What a parameter is looked for in.
const WRAPPERS: [&str; 4] = ["Option<", "Cow<,", "Mutex<", "RwLock<"];

/// With their digits.
const INTEGERS: [(&str, u8); 12] = [
    ("u8", 3),
    ("u16", 5),
    ("u32", 10),
    ("u64", 20),
    ("u128", 39),
    ("usize", 20),
    ("i8", 3),
    ("i16", 5),
    ("i32", 10),
    ("i64", 19),
    ("i128", 39),
    ("isize", 19),
];

/// Whose transactions are told by their path.
const DRIVERS: &str = "deadpool_postgres postgres rusqlite sea_orm sqlx tokio_postgres";

const STANDARD: &str = "bool char str f32 f64 String Vec VecDeque HashMap HashSet BTreeMap BTreeSet Option Result \
     Duration SystemTime";

/// The names of what two functions keep, where the types are different.
pub(super) fn differ(a: &Function, b: &Function) -> Option<[&'static str; 2]> {
    let written = [a, b].map(|function| kept(function.info.value));
    if a.info.generic || b.info.generic {
        return None;
    }
    let Some((a, b)) = a.value.get().zip(b.value.get()) else {
        let [a, b] = written.map(|text| bare(text, false));
        return (a != b && is_standard(&a) && is_standard(&b)).then_some(written);
    };
    let same_text = bare(written[0], false) == bare(written[1], false);
    let shown = if same_text { [*a, *b] } else { written };
    (bare(a, true) != bare(b, true)).then_some(shown)
}

/// Whether no name in the type is of a program.
fn is_standard(bare: &str) -> bool {
    words(bare).all(|word| {
        !word.starts_with(char::is_alphabetic)
            || integer(word).is_some()
            || is_among(STANDARD, word)
    })
}

fn is_among(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

/// A key or a tag of a function. What is not known of a value is what `unknown` says.
pub(super) fn of(info: &FunctionInfo, template: &str, unknown: Holds) -> Template {
    Template::of(template, |name| holds(info, name).unwrap_or(unknown))
}

/// What the type of a parameter lets it be, where that is known.
fn holds(info: &FunctionInfo, name: &str) -> Option<Holds> {
    let mut parameters = info.parameters.iter();
    let (_, ty) = parameters.find(|(parameter, _)| *parameter == name)?;
    let ty = bare(ty, false);
    let some = within(&ty, "Option<");
    let ty = some.unwrap_or(&ty);
    let kind = kind(within(ty, "Cow<,").unwrap_or(ty))?;
    let optional = some.is_some();
    Some(Holds::Value { kind, optional })
}

fn kind(ty: &str) -> Option<Kind> {
    match ty {
        "str" | "String" => Some(Kind::Text),
        "bool" => Some(Kind::Bool),
        "IpAddr" | "Ipv4Addr" | "Ipv6Addr" | "SocketAddr" | "SocketAddrV4" | "SocketAddrV6" => {
            Some(Kind::Address)
        }
        ty => integer(ty).or_else(|| {
            let number = ty.strip_prefix("NonZero")?.to_lowercase();
            integer(within(&number, "<").unwrap_or(&number))
        }),
    }
}

fn integer(ty: &str) -> Option<Kind> {
    let (_, digits) = INTEGERS.into_iter().find(|(name, _)| *name == ty)?;
    let signed = ty.starts_with('i');
    Some(Kind::Integer { signed, digits })
}

/// The parameter that is an open transaction. What is part of the key is none.
pub(super) fn transaction(info: &FunctionInfo) -> Option<&'static str> {
    let in_key = |name: &str| {
        let after = ['>', '.', ':'];
        let mut starts = after.map(|after| format!("<{name}{after}")).into_iter();
        starts.any(|start| info.template.contains(&start))
    };
    let mut parameters = info.parameters.iter();
    let found = parameters.find(|(name, ty)| is_transaction(ty) && !in_key(name));
    found.map(|(name, _)| *name)
}

/// Whether it is one of a database: those are of some lifetime or database, are changed by their use, or
/// are known. Programs have transactions that are data.
fn is_transaction(text: &str) -> bool {
    let ty = inside(text);
    let (name, arguments) = ty.split_once('<').unwrap_or((&ty, ""));
    let tells = |word: &str| {
        let crate_ = word.trim_start_matches("::").split("::").next();
        let last = word.rsplit("::").next();
        let changes = last.is_some_and(|last| matches!(last, "mut" | "Mutex" | "RwLock"));
        changes || crate_.is_some_and(|name| is_among(DRIVERS, name))
    };
    let is_one =
        || !arguments.is_empty() || name == "DatabaseTransaction" || words(text).any(tells);
    name.ends_with("Transaction") && is_one()
}

/// The bare type inside of what it is wrapped in.
fn inside(text: &str) -> String {
    let mut ty = bare(text, false);
    let unwrapped = |ty: &str| {
        let mut wrappers = WRAPPERS.iter();
        wrappers.find_map(|wrapper| within(ty, wrapper).map(str::to_owned))
    };
    while let Some(inner) = unwrapped(&ty) {
        ty = inner;
    }
    ty
}

/// The type inside of one wrapper.
pub(super) fn within<'t>(ty: &'t str, wrapper: &str) -> Option<&'t str> {
    ty.strip_prefix(wrapper)?.strip_suffix('>')
}

/// The type without spaces, pointers, references and lifetimes, and without the paths of its names.
pub(super) fn bare(text: &str, with_paths: bool) -> String {
    let is_kept = |word: &&str| !word.starts_with('\'') && !matches!(*word, "&" | "mut" | " ");
    let mut words = words(text).filter(is_kept).peekable();
    let (mut bare, mut open) = (String::new(), Vec::new());
    while let Some(word) = words.next() {
        let name = word.rsplit("::").next().unwrap_or(word);
        let is_pointer = POINTERS.contains(&name) && words.next_if_eq(&"<").is_some();
        if is_pointer || word == "<" {
            open.push(is_pointer);
        }
        let closes = word == ">" && !bare.ends_with('-');
        let is_dropped = is_pointer || closes && open.pop() == Some(true);
        if !is_dropped {
            bare.push_str(if with_paths { word } else { name });
        }
    }
    bare
}

/// Paths, lifetimes, and what stands between them, each character alone.
fn words(mut rest: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || "_:'".contains(c);
    iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(first.len_utf8()));
        rest = after;
        Some(word)
    })
}

/// The type of what stands under a key, inside `Option` and `Result`.
fn kept(returned: &str) -> &str {
    let Some((name, rest)) = returned.split_once('<') else {
        return returned;
    };
    if !name.ends_with("Result") && !name.ends_with("Option") {
        return returned;
    }
    let mut depth = 0;
    let end = rest.find(|c| {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && c == ','
    });
    end.map_or(returned, |end| kept(&rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_inside_options_and_results() {
        for (returned, value) in [
            ("User", "User"),
            ("Vec<User>", "Vec<User>"),
            ("Result<Option<User>, DbError>", "User"),
            ("crate::ApiResult<Vec<(u8, User)>>", "Vec<(u8, User)>"),
            ("Option<Option<User>>", "User"),
        ] {
            assert_eq!(kept(returned), value);
        }
    }

    #[test]
    fn a_bare_type_has_no_pointers_and_no_paths() {
        for (text, without, with) in [
            ("Arc<crate::User>", "User", "crate::User"),
            ("Vec<Box<a::User>>", "Vec<User>", "Vec<a::User>"),
            ("&'static mut [std::sync::Arc<u8>]", "[u8]", "[u8]"),
            (
                "Box<dyn Fn(u8) -> Arc<u8>>",
                "dynFn(u8)->u8",
                "dynFn(u8)->u8",
            ),
            ("HashMap<u8, Rc<a::B>>", "HashMap<u8,B>", "HashMap<u8,a::B>"),
        ] {
            assert_eq!([bare(text, false), bare(text, true)], [without, with]);
        }
    }

    #[test]
    fn a_parameter_is_looked_for_in_its_wrappers() {
        for (text, inner) in [
            (
                "&mut sqlx::Transaction<'_, Postgres>",
                "Transaction<,Postgres>",
            ),
            (
                "Option<Arc<tokio::sync::Mutex<Transaction>>>",
                "Transaction",
            ),
            ("Cow<'_, str>", "str"),
            ("&[u64]", "[u64]"),
        ] {
            assert_eq!(inside(text), inner);
        }
    }
}
