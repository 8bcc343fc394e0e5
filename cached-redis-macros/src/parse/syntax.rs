//! Small questions about pieces of syntax.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, GenericArgument, LitStr, PathArguments, Type};

/// The expression without the invisible groups that `macro_rules!` puts around fragments.
pub(crate) fn peel_expr(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => peel_expr(&group.expr),
        Expr::Paren(group) => peel_expr(&group.expr),
        other => other,
    }
}

/// The string literal, where the expression is one.
pub(crate) fn literal(expression: &Expr) -> Option<LitStr> {
    match peel_expr(expression) {
        Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.clone()),
        _ => None,
    }
}

/// The first type argument of `ty`, where its last segment is `wrapper`.
pub(crate) fn argument<'t>(ty: &'t Type, wrapper: &str) -> Option<&'t Type> {
    let Type::Path(path) = peel(ty) else {
        return None;
    };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The type without parentheses and without the groups that `macro_rules!` puts around fragments.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(group) => peel(&group.elem),
        other => other,
    }
}

/// The group without those that `macro_rules!` puts around fragments, such as `$body:block`.
pub(crate) fn peel_group(group: Group) -> Group {
    let mut inside = group.stream().into_iter();
    match (group.delimiter(), inside.next(), inside.next()) {
        (Delimiter::None, Some(TokenTree::Group(inner)), None) => peel_group(inner),
        _ => group,
    }
}

pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Whether the word stands anywhere in the tokens.
pub(crate) fn mentions(tokens: TokenStream, word: &str) -> bool {
    find(tokens, word).is_some()
}

/// Whether the tokens use a variable of this name: not a module, a field or an item of another.
pub(crate) fn uses(tokens: TokenStream, name: &str) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    let mut inside = false;
    while let Some(token) = tokens.next() {
        let outside = !std::mem::take(&mut inside);
        let opens = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
        match token {
            TokenTree::Ident(ident) if outside && !opens && ident.unraw() == name => return true,
            TokenTree::Group(group) if uses(group.stream(), name) => return true,
            TokenTree::Punct(punct) => inside = matches!(punct.as_char(), '.' | ':'),
            _ => {}
        }
    }
    false
}

/// The first of these methods that is called on the variable itself.
pub(crate) fn method_of(tokens: TokenStream, variable: &str, methods: &[&str]) -> Option<Ident> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let inner = tokens.iter().find_map(|token| match token {
        TokenTree::Group(group) => method_of(group.stream(), variable, methods),
        _ => None,
    });
    let is = |token: &TokenTree, sign| matches!(token, TokenTree::Punct(p) if p.as_char() == sign);
    let called = |at: usize| match tokens.get(at..at + 3) {
        Some([TokenTree::Ident(on), dot, TokenTree::Ident(method)])
            if on == variable
                && is(dot, '.')
                && methods.iter().any(|known| method == known)
                && !at
                    .checked_sub(1)
                    .is_some_and(|before| is(&tokens[before], '.')) =>
        {
            Some(method.clone())
        }
        _ => None,
    };
    (0..tokens.len()).find_map(called).or(inner)
}

/// The first such word in the tokens, with its span.
pub(crate) fn find(tokens: TokenStream, word: &str) -> Option<Ident> {
    find_word(tokens, &|ident| ident.unraw() == word)
}

/// The first word in the tokens that is so.
pub(crate) fn find_word(tokens: TokenStream, is_it: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => is_it(&ident).then_some(ident),
        TokenTree::Group(group) => find_word(group.stream(), is_it),
        TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

pub(crate) fn braced(tokens: TokenStream, span: Span) -> TokenStream {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(span);
    group.into_token_stream()
}

/// The same tokens with their hygiene, underlined at `span`: an expression is underlined from its
/// first token to its last, so a path in front of it counts.
pub(crate) fn at(tokens: &TokenStream, span: Span) -> TokenStream {
    let relocated = tokens.clone().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(span));
        token
    });
    relocated.collect()
}
