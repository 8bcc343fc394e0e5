//! What the annotated function offers: its parameters, its result, and where its body is.
//!
//! The body stays tokens: it is moved as it is into one async block, so that `self`, lifetimes,
//! generics, `?` and `return` mean what they meant. Only a function that arrives boxed, as
//! `#[async_trait]` leaves it, is looked into, to find the async block inside `Box::pin`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Pat, PathArguments, ReturnType, Signature,
    Token, Type, TypeParamBound, Visibility,
};

use crate::parse::errors::Errors;
use crate::parse::parameter::{Kind, Parameter, bindings};
use crate::parse::syntax::{argument, braced, is_unit, mentions, peel, peel_group};
use crate::parse::{attributes, boxing, cfg};

/// An async function, or the boxed form of one.
#[derive(Clone)]
pub(crate) struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: Body,
    /// Type and const parameters first, then the others, in the order of the signature.
    pub(crate) parameters: Vec<Parameter>,
    /// Names of those that `#[cfg]` takes away here.
    pub(crate) absent: Vec<String>,
    pub(crate) receiver: Option<Token![self]>,
    /// What the future resolves to; `None` where nothing is written.
    pub(crate) output: Option<Type>,
    /// Whether another attribute of ours is in the body already.
    pub(crate) is_around: bool,
}

#[derive(Clone)]
enum Body {
    Plain {
        inner_attributes: TokenStream,
        statements: TokenStream,
        braces: Span,
    },
    Boxed(boxing::Boxed),
}

impl Function {
    /// Reads an item; `None` where `attribute` cannot stand on it.
    pub(crate) fn parse(item: TokenStream, attribute: &str, errors: &mut Errors) -> Option<Self> {
        let (attributes, visibility, signature, body) = match head.parse2(item) {
            Ok(read) => read,
            Err(error) => {
                let help = format!("put `#[{attribute}]` on an `async fn` that has a body");
                errors.refuse_at(error.span(), "this is no function with a body", help);
                return None;
            }
        };
        let Some(body) = body else {
            no_body(&signature.ident, attribute, errors);
            return None;
        };
        let is_around = attributes::check(attribute, &body, errors)?;
        let (body, output) = if signature.asyncness.is_some() {
            (Body::plain(&body), written(&signature.output))
        } else {
            let boxed = boxing::Boxed::parse(&body).zip(resolved(&signature.output));
            let Some((boxed, output)) = boxed else {
                not_async(&signature, attribute, errors);
                return None;
            };
            (
                Body::Boxed(boxed),
                Some(output).filter(|output| !is_unit(output)),
            )
        };
        Some(Self {
            parameters: parameters(&signature, &body),
            absent: Vec::new(),
            is_around,
            receiver: receiver(&signature),
            attributes,
            visibility,
            signature,
            body,
            output,
        })
    }

    /// The conditions under which parts of the signature are there.
    pub(crate) fn conditions(&self) -> Vec<TokenStream> {
        cfg::conditions(&self.signature)
    }

    /// The function as it is under the attribute `when`, where only those conditions hold.
    pub(crate) fn configured(&self, when: Attribute, holds: &dyn Fn(&TokenStream) -> bool) -> Self {
        let signature = cfg::reduced(&self.signature, holds);
        let parameters = parameters(&signature, &self.body);
        let mut absent: Vec<_> = self.parameters.iter().map(Parameter::name).collect();
        absent.retain(|name| parameters.iter().all(|present| present.name() != *name));
        let mut attributes = self.attributes.clone();
        attributes.insert(0, when);
        Self {
            receiver: receiver(&signature),
            attributes,
            parameters,
            absent,
            signature,
            ..self.clone()
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    /// A receiver, or `Self` anywhere in the signature: the attribute cannot see which type it
    /// is in, so it cannot tell two methods of one name apart.
    pub(crate) fn is_method(&self) -> bool {
        self.receiver.is_some() || self.mentions("Self")
    }

    pub(crate) fn is_boxed(&self) -> bool {
        matches!(self.body, Body::Boxed(_))
    }

    /// Whether the word stands anywhere in the signature.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        mentions(self.signature.to_token_stream(), word)
    }

    pub(crate) fn borrows_self(&self) -> bool {
        let receiver = self.signature.receiver();
        receiver.is_some_and(|receiver| matches!(peel(&receiver.ty), Type::Reference(_)))
    }

    /// Whether an argument is a pattern, whose parts cannot be put together again.
    pub(crate) fn has_unnamed_arguments(&self) -> bool {
        self.arguments().len() < self.signature.inputs.len()
    }

    /// The parameters as they are written, without the receiver.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pat> {
        self.signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Receiver(_) => None,
                FnArg::Typed(typed) => Some(&*typed.pat),
            })
    }

    /// Whether a parameter is `mut`; where it is bound anew for the body, it is so for that alone.
    pub(crate) fn binds_mutably(&self) -> bool {
        let mut patterns = self.patterns();
        patterns.any(|pattern| mentions(pattern.to_token_stream(), "mut"))
    }

    /// What is written of each argument, `self` among them, with its type.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (TokenStream, &Type)> {
        self.signature.inputs.iter().map(|input| match input {
            FnArg::Receiver(this) => (this.self_token.to_token_stream(), &*this.ty),
            FnArg::Typed(typed) => (typed.pat.to_token_stream(), &*typed.ty),
        })
    }

    /// The arguments that are plain names, `self` among them, with their types.
    pub(crate) fn arguments(&self) -> Vec<(Ident, &Type)> {
        let mut named = Vec::new();
        for input in &self.signature.inputs {
            match input {
                FnArg::Receiver(this) => named.push((Ident::from(this.self_token), &*this.ty)),
                FnArg::Typed(typed) => {
                    if let Pat::Ident(binding) = &*typed.pat {
                        named.push((binding.ident.clone(), &*typed.ty));
                    }
                }
            }
        }
        named
    }

    /// The names that the arguments are bound to in the body, in their order: those that the user wrote, into whose parts
    /// `#[async_trait]` has taken them by then. What a macro binds cannot be seen.
    pub(crate) fn bound(&self) -> Vec<Ident> {
        let mut found = Vec::new();
        for (pattern, _) in originals(&self.signature, &self.body) {
            let has_macro = pattern.to_token_stream().to_string().contains('!');
            if !has_macro {
                bindings(pattern, None, &mut found);
            }
        }
        found.into_iter().map(|bound| bound.ident).collect()
    }

    pub(crate) fn is_generic(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| !matches!(parameter.kind, Kind::Value))
    }

    /// Whether what it returns is of a type that its caller chooses.
    pub(crate) fn returns_parameter(&self) -> bool {
        let output = self.output.to_token_stream();
        let types = self.parameters.iter();
        let mut types = types.filter(|parameter| !matches!(parameter.kind, Kind::Value));
        types.any(|parameter| mentions(output.clone(), &parameter.ident.to_string()))
    }

    pub(crate) fn returns_impl_trait(&self) -> bool {
        self.output
            .as_ref()
            .is_some_and(|output| mentions(output.to_token_stream(), "impl"))
    }

    pub(crate) fn returns_never(&self) -> bool {
        matches!(self.output, Some(Type::Never(_)))
    }

    /// The user's statements, to go inside an async block with these braces.
    pub(crate) fn statements(&self) -> (TokenStream, Span) {
        match &self.body {
            Body::Plain {
                statements, braces, ..
            } => (statements.clone(), *braces),
            Body::Boxed(boxed) => (boxed.statements(), Span::mixed_site()),
        }
    }

    /// The function under another name, for itself alone.
    pub(crate) fn renamed(&self, name: &Ident) -> TokenStream {
        let signature = Signature {
            ident: name.clone(),
            ..self.signature.clone()
        };
        let (statements, braces) = self.statements();
        let body = braced(statements, braces);
        quote!(#signature #body)
    }

    /// The function with `statements` in the place of the user's.
    pub(crate) fn with(&self, statements: &TokenStream) -> TokenStream {
        let Self {
            attributes,
            visibility,
            signature,
            ..
        } = self;
        let body = match &self.body {
            Body::Plain {
                inner_attributes,
                braces,
                ..
            } => braced(quote!(#inner_attributes #statements), *braces),
            Body::Boxed(boxed) => boxed.with(statements),
        };
        quote!(#(#attributes)* #visibility #signature #body)
    }
}

impl Body {
    /// Attributes that open the body (`#![…]`) have to open the new one.
    fn plain(body: &Group) -> Self {
        let split = |input: ParseStream<'_>| {
            let inner = input.call(Attribute::parse_inner)?;
            Ok((inner, input.parse::<TokenStream>()?))
        };
        let (inner, statements) = split
            .parse2(body.stream())
            .unwrap_or_else(|_| (Vec::new(), body.stream()));
        Self::Plain {
            inner_attributes: quote!(#(#inner)*),
            statements,
            braces: body.span(),
        }
    }
}

/// A declaration in a trait may have no body.
type Head = (Vec<Attribute>, Visibility, Signature, Option<Group>);

fn head(input: ParseStream<'_>) -> syn::Result<Head> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let signature: Signature = input.parse()?;
    let body = match input.parse()? {
        TokenTree::Group(body) => Some(peel_group(body)),
        _ => None,
    };
    Ok((attributes, visibility, signature, body))
}

fn no_body(name: &Ident, attribute: &str, errors: &mut Errors) {
    let help = format!("put `#[{attribute}]` on the methods that implement it");
    errors.refuse(name, format!("`{name}` has no body"), help);
}

fn not_async(signature: &Signature, attribute: &str, errors: &mut Errors) {
    errors.refuse_at(
        signature.fn_token.span,
        format!("`#[{attribute}]` needs an async function"),
        format!("write `async fn {}`", signature.ident),
    );
}

fn receiver(signature: &Signature) -> Option<Token![self]> {
    signature.receiver().map(|receiver| receiver.self_token)
}

fn parameters(signature: &Signature, body: &Body) -> Vec<Parameter> {
    let mut found: Vec<_> = signature
        .generics
        .params
        .iter()
        .filter_map(generic)
        .collect();
    for (pattern, ty) in originals(signature, body) {
        bindings(pattern, Some(ty), &mut found);
    }
    found
}

/// The patterns that the user wrote, with their types; without those that bind nothing.
fn originals<'f>(
    signature: &'f Signature,
    body: &'f Body,
) -> impl Iterator<Item = (&'f Pat, &'f Type)> {
    let rebound = match body {
        Body::Plain { .. } => &[][..],
        Body::Boxed(boxed) => boxed.bindings(),
    };
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Receiver(_) => None,
        FnArg::Typed(typed) => Some((boxing::original(&typed.pat, rebound)?, &*typed.ty)),
    })
}

fn generic(parameter: &GenericParam) -> Option<Parameter> {
    match parameter {
        GenericParam::Type(ty) => Some(Parameter::generic(&ty.ident, Kind::Type)),
        GenericParam::Const(constant) => Some(Parameter::generic(&constant.ident, Kind::Const)),
        GenericParam::Lifetime(_) => None,
    }
}

fn written(output: &ReturnType) -> Option<Type> {
    match output {
        ReturnType::Type(_, ty) if !is_unit(ty) => Some((**ty).clone()),
        _ => None,
    }
}

/// `T` of `Pin<Box<dyn Future<Output = T>>>`.
fn resolved(output: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, pinned) = output else {
        return None;
    };
    let Type::TraitObject(future) = peel(argument(argument(pinned, "Pin")?, "Box")?) else {
        return None;
    };
    future.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let future = bound
            .path
            .segments
            .last()
            .filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &future.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == "Output" => {
                Some(output.ty.clone())
            }
            _ => None,
        })
    })
}
