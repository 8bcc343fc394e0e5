//! `#[write_behind]`: what a call is stored as, and what its function gets when it is run from that.

use proc_macro2::{Ident, Span};
use quote::ToTokens as _;
use syn::{Expr, ExprLit, ExprPath, Lit, LitStr, Pat, Path, Type};

use crate::check::duration::{self, Life};
use crate::check::key::{Key, Outcome};
use crate::check::outer_names::refuse_outer_names;
use crate::check::validate::known_before;
use crate::parse::args::BehindArgs;
use crate::parse::errors::Errors;
use crate::parse::signature::Function;
use crate::parse::syntax::{argument, is_unit, peel, peel_expr};
use crate::parse::template::Template;

/// What a queue holds where nothing is said.
const MAX_QUEUE: u64 = 16_000;

/// As many elements as serde takes of a tuple.
const MOST_STORED: usize = 16;

/// A function whose calls wait in a queue.
pub(crate) struct Behind {
    pub(crate) queue: String,
    pub(crate) key: Key,
    pub(crate) inputs: Vec<Input>,
    /// Which of those that are stored readers get.
    pub(crate) value: usize,
    pub(crate) output: Type,
    pub(crate) max_queue: u64,
    pub(crate) max_lag: Option<Life>,
    pub(crate) coalesce: bool,
    pub(crate) cache: Option<Expr>,
    pub(crate) krate: Option<Path>,
}

/// A parameter.
pub(crate) struct Input {
    pub(crate) name: Ident,
    /// Of a borrowed one, of what it is borrowed.
    pub(crate) ty: Type,
    /// Whether the worker provides it, in the place of what the caller has given.
    pub(crate) provided: bool,
}

impl Behind {
    /// `None` where something was refused.
    pub(crate) fn new(args: BehindArgs, function: &Function, errors: &mut Errors) -> Option<Self> {
        let is_plain = refuse_methods(function, errors);
        refuse_attributes_inside(function, errors);
        let queue = queue(&args, errors);
        let key = key(&args, queue.as_ref(), function, errors);
        let inputs = is_plain.then(|| inputs(function, errors)).flatten();
        let value = value(&args, inputs.as_deref(), errors);
        let max_queue = max_queue(&args, errors);
        let max_lag = max_lag(&args, function, errors);
        let output = output(function, errors);
        Some(Self {
            queue: queue?.value(),
            key: key?,
            inputs: inputs?,
            value: value?,
            output: output?,
            max_queue: max_queue?,
            max_lag: max_lag?,
            coalesce: args.coalesce.is_some(),
            cache: args.cache,
            krate: args.krate,
        })
    }
}

/// Its calls are run by a worker, which has no `self`, and does not know of which types they were.
fn refuse_methods(function: &Function, errors: &mut Errors) -> bool {
    let generic = function.is_generic() || function.mentions("impl");
    let what = match (function.is_method() || function.is_boxed(), generic) {
        (true, _) => "a method",
        (false, true) => "generic",
        (false, false) => return true,
    };
    let name = function.name();
    let message =
        format!("`{name}` is {what}: a worker runs its calls later, by their arguments alone");
    let help = "write a function of types that have a name; what it needs beside its arguments it takes by reference";
    errors.refuse(name, message, help);
    false
}

/// Inside it would run when the write is applied.
fn refuse_attributes_inside(function: &Function, errors: &mut Errors) {
    if function.is_around {
        let message = "another attribute stands above `#[write_behind]`, and would run when the write is applied";
        let help = "put it below, where it runs when the write is accepted; or on a function that this one calls";
        errors.refuse_at(Span::call_site(), message, help);
    }
}

fn queue(args: &BehindArgs, errors: &mut Errors) -> Option<LitStr> {
    let Some(queue) = &args.queue else {
        let help = "write a name for the queue of its writes: `queue = \"stock\"`";
        return missing("queue", args, help, errors);
    };
    let (name, allowed) = (queue.value(), |c: char| {
        c.is_ascii_alphanumeric() || "_-.".contains(c)
    });
    if name.is_empty() || !name.chars().all(allowed) {
        let help = "write letters, digits, `_`, `-` and `.`: `queue = \"stock\"`";
        return errors.refused(queue, "this is no name of a queue", help);
    }
    Some(queue.clone())
}

fn missing<T>(option: &str, args: &BehindArgs, help: &str, errors: &mut Errors) -> Option<T> {
    if !args.meant(option) {
        errors.refuse_at(Span::call_site(), format!("`{option}` is missing"), help);
    }
    None
}

/// A script stores entry and arguments, so on a cluster both are in one slot: that of the name in braces.
fn key(
    args: &BehindArgs,
    queue: Option<&LitStr>,
    function: &Function,
    errors: &mut Errors,
) -> Option<Key> {
    let Some(literal) = &args.key else {
        let help = "write the key of the function that reads it: `key = \"{stock}:<id>\"`";
        return missing("key", args, help, errors);
    };
    let template = Template::parse(literal, errors);
    let written = literal.value();
    let tag = written.split_inclusive('}').next().unwrap_or_default();
    if let Some(queue) = queue
        && tag.strip_prefix('{') != Some(&format!("{}}}", queue.value()))
    {
        let tag = format!("{{{}}}", queue.value());
        let message = format!("the key does not begin with its queue in braces, `{tag}`");
        let help = format!(
            "write `key = \"{tag}:…\"`, here and on the functions that read it: so a cluster keeps entry and queue together"
        );
        return errors.refused(literal, message, help);
    }
    let template = template.checked_after(tag, function, Outcome::Ok, errors);
    let key = Key::resolve(&template, function, Outcome::Ok, errors);
    known_before("key", literal, key, errors)
}

fn inputs(function: &Function, errors: &mut Errors) -> Option<Vec<Input>> {
    let unnamed = |pattern: &&Pat| !matches!(pattern, Pat::Ident(_));
    if let Some(pattern) = function.patterns().find(unnamed) {
        let help = "write `name: Type` in the place of each pattern";
        return errors.refused(pattern, "each argument is stored, and needs a name", help);
    }
    let arguments = function.arguments();
    let inputs: Vec<_> = arguments
        .iter()
        .map(|(name, ty)| input(name, ty, errors))
        .collect();
    let inputs: Vec<_> = inputs.into_iter().collect::<Option<_>>()?;
    let stored = inputs.iter().filter(|input| !input.provided).count();
    if stored > MOST_STORED {
        let message = format!("{stored} arguments are to be stored, and {MOST_STORED} can be");
        return errors.refused(function.name(), message, "put some of them into a struct");
    }
    Some(inputs)
}

fn input(name: &Ident, ty: &Type, errors: &mut Errors) -> Option<Input> {
    let Type::Reference(reference) = peel(ty) else {
        return Some(Input {
            name: name.clone(),
            ty: ty.clone(),
            provided: false,
        });
    };
    let lent = peel(&reference.elem);
    let unsized_ = matches!(lent, Type::Slice(_) | Type::TraitObject(_))
        || matches!(lent, Type::Path(path) if path.path.is_ident("str"));
    if reference.mutability.is_some() || unsized_ {
        let message = format!("`{name}` is borrowed, and a call is stored with what it owns");
        let help = "own it, such as `String` for `&str`; a `&T` is provided by the worker, as a pool of connections";
        return errors.refused(ty, message, help);
    }
    Some(Input {
        name: name.clone(),
        ty: lent.clone(),
        provided: true,
    })
}

/// The place of the argument that readers get, among those that are stored.
fn value(args: &BehindArgs, inputs: Option<&[Input]>, errors: &mut Errors) -> Option<usize> {
    let Some(value) = &args.value else {
        let help = "name the parameter whose value readers get: `value = stock`";
        return missing("value", args, help, errors);
    };
    let inputs = inputs?;
    let name = match peel_expr(value) {
        Expr::Path(ExprPath { path, .. }) => path.get_ident(),
        _ => None,
    };
    let Some(input) = name.and_then(|name| inputs.iter().find(|input| input.name == *name)) else {
        let names = inputs.iter().filter(|input| !input.provided);
        let names: Vec<_> = names.map(|input| format!("`{}`", input.name)).collect();
        let help = format!(
            "name the parameter whose value readers get: {}",
            names.join(", ")
        );
        return errors.refused(value, "this is no parameter of the function", help);
    };
    if input.provided {
        let help = "take it by value: it is stored, and readers get it until the write is applied";
        return errors.refused(value, "what readers get is borrowed", help);
    }
    if let Some(wrapper) = ["Option", "Result"]
        .into_iter()
        .find(|it| argument(&input.ty, it).is_some())
    {
        let message =
            format!("readers keep what is inside of an `{wrapper}`, and this is the whole");
        let help = "take the value itself: what is pending is always there";
        return errors.refused(&input.ty, message, help);
    }
    let mut stored = inputs.iter().filter(|input| !input.provided);
    stored.position(|stored| stored.name == input.name)
}

fn max_queue(args: &BehindArgs, errors: &mut Errors) -> Option<u64> {
    let Some(written) = &args.max_queue else {
        return (!args.meant("max_queue")).then_some(MAX_QUEUE);
    };
    let number = match peel_expr(written) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok(),
        _ => None,
    };
    number.filter(|number| *number > 0).or_else(|| {
        let help = format!("write how many writes may wait, such as `max_queue = {MAX_QUEUE}`");
        errors.refused(written, "`max_queue` is no number of writes", help)
    })
}

/// `Some(None)`: nothing was said.
fn max_lag(args: &BehindArgs, function: &Function, errors: &mut Errors) -> Option<Option<Life>> {
    let Some(written) = &args.max_lag else {
        return (!args.meant("max_lag")).then_some(None);
    };
    let life = duration::parse("max_lag", written, false, errors)?;
    if let Life::Const(value) = &life {
        refuse_outer_names("max_lag", value, function, errors);
    }
    Some(Some(life))
}

/// The caller gets what it returns before it has run.
fn output(function: &Function, errors: &mut Errors) -> Option<Type> {
    let named = function.output.as_ref();
    let named = named.filter(|_| !function.returns_never() && !function.returns_impl_trait());
    if named.is_none() {
        let name = function.name();
        let message = format!(
            "`{name}` cannot say that its queue is busy: it returns no `Result<(), …>` that can be named"
        );
        let help = "return `Result<(), E>`, where `E: From<cached_redis::error::Busy>`";
        return errors.refused(name, message, help);
    }
    let value = argument(named?, "Result");
    let is_nothing = value.is_none_or(is_unit);
    if !is_nothing {
        let help = "return `Result<(), …>`; what the function finds out, it can store or send";
        let message = "the caller goes on before there is such a value";
        return errors.refused(value.map(|it| it.to_token_stream()), message, help);
    }
    named.cloned()
}

impl Behind {
    /// Those that are stored, in the order of the signature.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| !input.provided)
    }

    /// Those that the worker provides.
    pub(crate) fn provided(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| input.provided)
    }
}
