//! What one file uses, by its tokens.

use std::collections::BTreeSet;
use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

type Tokens = Peekable<IntoIter>;

/// A path that is used, from the root of the crate on.
#[derive(Clone, Debug)]
pub(super) struct Used {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Below the root.
    pub(super) path: String,
    pub(super) module: Vec<String>,
    pub(super) uses: Vec<Used>,
    /// What it makes known under other paths: the last name, and what it stands for.
    pub(super) exports: Vec<(String, Vec<String>)>,
    /// The modules in files of their own.
    children: BTreeSet<String>,
    tests: BTreeSet<String>,
}

impl Source {
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let module = path.strip_suffix(".rs").unwrap_or(path);
        let module = module.strip_suffix("/mod").unwrap_or(module);
        let module = module.split('/').filter(|name| *name != "lib");
        let mut source = Self {
            path: path.to_owned(),
            module: module.map(str::to_owned).collect(),
            ..Self::default()
        };
        let tokens: TokenStream = text.parse().unwrap();
        source.children = children(tokens.clone());
        let within = source.module.clone();
        source.walk(tokens, &within);
        source
    }

    /// `None`: the root itself, or a module of tests beside the rooms.
    pub(super) fn room(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// The modules in files of their own that are compiled for tests alone.
    pub(super) fn tests(&self) -> Vec<Vec<String>> {
        let path = |name: &String| [self.module.as_slice(), std::slice::from_ref(name)].concat();
        self.tests.iter().map(path).collect()
    }

    fn walk(&mut self, tokens: TokenStream, within: &[String]) {
        let mut tokens = tokens.into_iter().peekable();
        let (mut exported, mut inside) = (false, false);
        while let Some(token) = tokens.next() {
            let begins = !std::mem::take(&mut inside);
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => self.attribute(&mut tokens),
                // What a macro names, it names in the crate that asks for it.
                TokenTree::Punct(mark) if mark.as_char() == '$' => drop(tokens.next()),
                TokenTree::Ident(word) if word == "pub" => {
                    skip_group(&mut tokens, Delimiter::Parenthesis);
                    exported = true;
                    continue;
                }
                // `use<'_>` says what a type captures.
                TokenTree::Ident(word) if word == "use" && !next_is(&mut tokens, '<') => {
                    self.declaration(&mut tokens, within, exported);
                }
                TokenTree::Ident(word) if word == "mod" => self.module(&mut tokens, within),
                TokenTree::Ident(word) if begins => {
                    self.expression(&word, &mut tokens, within);
                }
                TokenTree::Group(group) => self.walk(group.stream(), within),
                TokenTree::Punct(mark) => inside = mark.as_char() == ':' && is_colon(&mut tokens),
                _ => {}
            }
            if inside {
                tokens.next();
            }
            exported = false;
        }
    }

    /// What stands under `#[cfg(test)]` is skipped.
    fn attribute(&mut self, tokens: &mut Tokens) {
        let Some(TokenTree::Group(group)) = tokens.next_if(is_group) else {
            return;
        };
        if group.stream().to_string().replace(' ', "") != "cfg(test)" {
            return;
        }
        let mut named = None;
        for token in tokens.by_ref() {
            match token {
                TokenTree::Ident(name) => named = Some(name.to_string()),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
                TokenTree::Punct(mark) if mark.as_char() == ';' => break,
                _ => {}
            }
        }
        self.tests
            .extend(named.filter(|name| self.children.contains(name)));
    }

    /// `use …;`
    fn declaration(&mut self, tokens: &mut Tokens, within: &[String], exported: bool) {
        let mut tree = TokenStream::new();
        tree.extend(std::iter::from_fn(|| {
            tokens.next_if(|token| !is_mark(token, ';'))
        }));
        for (path, alias, line) in leaves(tree, &[]) {
            let Some(path) = self.resolved(&path, within) else {
                continue;
            };
            if exported {
                let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
                self.exports.push((name, path.clone()));
            }
            if !exported || path.first() != within.first() {
                self.uses.push(Used { path, line });
            }
        }
    }

    /// `mod name { … }`
    fn module(&mut self, tokens: &mut Tokens, within: &[String]) {
        let Some(TokenTree::Ident(name)) = tokens.next() else {
            return;
        };
        if let Some(TokenTree::Group(group)) = tokens.next_if(is_group) {
            self.walk(group.stream(), &[within, &[name.to_string()]].concat());
        }
    }

    /// A path that may begin here.
    fn expression(&mut self, first: &Ident, tokens: &mut Tokens, within: &[String]) {
        let mut path = vec![first.to_string()];
        while is_path(tokens) {
            tokens.nth(1);
            match tokens.peek() {
                Some(TokenTree::Ident(name)) => path.push(name.to_string()),
                _ => break,
            }
            tokens.next();
        }
        let line = first.span().start().line;
        if path.len() > 1
            && let Some(path) = self.resolved(&path, within)
        {
            self.uses.push(Used { path, line });
        }
    }

    /// From the root on; `None`: it is of another crate, or no path of ours.
    fn resolved(&self, path: &[String], within: &[String]) -> Option<Vec<String>> {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let (base, rest) = match path[0].as_str() {
            "crate" => (&within[..0], &path[1..]),
            "self" => (within, &path[1..]),
            "super" => (&within[..within.len().checked_sub(ups)?], &path[ups..]),
            child if self.children.contains(child) => (&self.module[..], path),
            _ => return None,
        };
        let path = [base, rest].concat();
        (!path.is_empty() && path[0] != "*").then_some(path)
    }
}

fn next_is(tokens: &mut Tokens, mark: char) -> bool {
    tokens.peek().is_some_and(|token| is_mark(token, mark))
}

/// The names of `mod name;`.
fn children(tokens: TokenStream) -> BTreeSet<String> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let child = |three: &[TokenTree]| match three {
        [TokenTree::Ident(word), TokenTree::Ident(name), end] if word == "mod" => {
            is_mark(end, ';').then(|| name.to_string())
        }
        _ => None,
    };
    tokens.windows(3).filter_map(child).collect()
}

/// The paths of a tree of `use`, each with its alias and its line.
fn leaves(tree: TokenStream, before: &[String]) -> Vec<(Vec<String>, Option<String>, usize)> {
    let mut leaves = Vec::new();
    let mut path = before.to_vec();
    let (mut alias, mut renames, mut line) = (None, false, 0);
    for token in tree {
        match token {
            TokenTree::Ident(word) if word == "as" => renames = true,
            TokenTree::Ident(word) if renames => alias = Some(word.to_string()),
            TokenTree::Ident(word) if word == "self" && path.len() > before.len() + 1 => {}
            TokenTree::Ident(word) => {
                line = word.span().start().line;
                // `{self, …}` names what stands before it.
                if word != "self" || path.is_empty() {
                    path.push(word.to_string());
                }
            }
            TokenTree::Group(group) => {
                leaves.extend(self::leaves(group.stream(), &path));
                line = 0;
            }
            TokenTree::Punct(mark) if mark.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Punct(mark) if mark.as_char() == ',' => {
                leaves.extend((line > 0).then(|| (path.clone(), alias.take(), line)));
                path.truncate(before.len());
                (renames, line) = (false, 0);
            }
            _ => {}
        }
    }
    leaves.extend((line > 0).then_some((path, alias, line)));
    leaves
}

fn is_mark(token: &TokenTree, sought: char) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == sought)
}

fn is_group(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(_))
}

fn is_colon(tokens: &mut Tokens) -> bool {
    tokens.peek().is_some_and(|token| is_mark(token, ':'))
}

/// Whether `::` comes next.
fn is_path(tokens: &Tokens) -> bool {
    let mut ahead = tokens.clone();
    let mut colon = || ahead.next().is_some_and(|token| is_mark(&token, ':'));
    colon() && colon()
}

fn skip_group(tokens: &mut Tokens, delimiter: Delimiter) {
    let of_it = |group: &Group| group.delimiter() == delimiter;
    tokens.next_if(|token| matches!(token, TokenTree::Group(group) if of_it(group)));
}
