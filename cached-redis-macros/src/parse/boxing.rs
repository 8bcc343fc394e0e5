//! The boxed form: `Box::pin(async move { … })` as the last expression of the function.
//!
//! `#[async_trait]` runs before our attributes. It renames `self` inside the block and binds the
//! arguments again, so the key is rendered between the two: after the arguments have their own
//! names, and before `self` moves away.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{Block, Expr, Local, Pat, Stmt, parse2};

/// A function whose body is one boxed async block.
#[derive(Clone)]
pub(crate) struct Boxed {
    /// The function's block, with nothing in the async block.
    outside: Block,
    /// `let id = id;` and `let (a, b) = { … __arg1 … };`
    bindings: Vec<Local>,
    inside: Vec<Stmt>,
}

impl Boxed {
    pub(crate) fn parse(body: &Group) -> Option<Self> {
        let mut outside: Block = parse2(body.to_token_stream()).ok()?;
        let statements = std::mem::take(&mut hole(&mut outside)?.stmts);
        let (bindings, inside) = split(statements);
        Some(Self {
            outside,
            bindings,
            inside,
        })
    }

    pub(crate) fn bindings(&self) -> &[Local] {
        &self.bindings
    }

    pub(crate) fn statements(&self) -> TokenStream {
        let inside = &self.inside;
        quote!(#(#inside)*)
    }

    /// The function's block, with `statements` after the bindings.
    pub(crate) fn with(&self, statements: &TokenStream) -> TokenStream {
        let bindings = &self.bindings;
        let new = Expr::Verbatim(quote!(#(#bindings)* #statements));
        let mut outside = self.outside.clone();
        if let Some(block) = hole(&mut outside) {
            block.stmts = vec![Stmt::Expr(new, None)];
        }
        outside.into_token_stream()
    }
}

/// The pattern that the user wrote for a parameter, which `#[async_trait]` may have renamed;
/// `None` where it binds nothing.
pub(crate) fn original<'p>(pattern: &'p Pat, bindings: &'p [Local]) -> Option<&'p Pat> {
    let Some(renamed) = name(pattern).filter(|name| is_renamed(name)) else {
        return Some(pattern);
    };
    let binding = bindings
        .iter()
        .find(|local| source(local).as_deref() == Some(&renamed))?;
    // `let __arg1 = __arg1;` stands for `_`.
    (name(&binding.pat) != Some(renamed)).then_some(&binding.pat)
}

/// The async block inside the `Box::pin` that ends the function.
fn hole(block: &mut Block) -> Option<&mut Block> {
    let Expr::Call(call) = tail(&mut block.stmts)? else {
        return None;
    };
    if !is_box_pin(&call.func) || call.args.len() != 1 {
        return None;
    }
    match call.args.first_mut() {
        Some(Expr::Async(future)) if future.capture.is_some() => Some(&mut future.block),
        _ => None,
    }
}

/// Takes the bindings out of the statements that open the block.
fn split(statements: Vec<Stmt>) -> (Vec<Local>, Vec<Stmt>) {
    let (mut bindings, mut inside) = (Vec::new(), Vec::new());
    let mut opening = true;
    for statement in statements {
        match statement {
            Stmt::Local(local) if opening && binds_argument(&local) => bindings.push(local),
            other => {
                opening &= opens(&other);
                inside.push(other);
            }
        }
    }
    (bindings, inside)
}

/// `let id = id;`, or anything made of an `__argN`. Not `let __self = self;`: the key may still
/// need `self`.
fn binds_argument(local: &Local) -> bool {
    match source(local) {
        Some(from) => is_renamed(&from) || name(&local.pat).is_some_and(|to| to == from),
        None => false,
    }
}

/// What may stand among the bindings: the pinned output type, and `let __self = self;`.
fn opens(statement: &Stmt) -> bool {
    match statement {
        Stmt::Expr(Expr::If(_), _) => true,
        Stmt::Local(local) => source(local).is_some_and(|from| from == "self"),
        _ => false,
    }
}

/// `b` of `let a = b;` and of `let a = { let b = b; b };`
fn source(local: &Local) -> Option<String> {
    let init = local.init.as_ref().filter(|init| init.diverge.is_none())?;
    let expression = match &*init.expr {
        Expr::Block(block) => match block.block.stmts.last()? {
            Stmt::Expr(last, None) => last,
            _ => return None,
        },
        other => other,
    };
    match expression {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
}

fn name(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(binding) => Some(binding.ident.to_string()),
        _ => None,
    }
}

fn is_renamed(name: &str) -> bool {
    let digits = name.strip_prefix("__arg");
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(path) = function else {
        return false;
    };
    let mut names = path
        .path
        .segments
        .iter()
        .rev()
        .map(|segment| &segment.ident);
    names.next().is_some_and(|last| last == "pin") && names.next().is_some_and(|ty| ty == "Box")
}

/// The last statement, where it is an expression.
fn tail(statements: &mut [Stmt]) -> Option<&mut Expr> {
    match statements.last_mut() {
        Some(Stmt::Expr(expression, None)) => Some(expression),
        _ => None,
    }
}
