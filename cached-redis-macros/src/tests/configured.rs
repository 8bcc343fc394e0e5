//! Parameters under `#[cfg]`: one function for each configuration.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{File, Item, ItemFn};

use crate::entry;

/// The functions and, as text, what else stands in an expansion.
fn parts(expansion: TokenStream) -> (Vec<ItemFn>, Vec<String>) {
    let file: File = syn::parse2(expansion).unwrap();
    let (mut functions, mut others) = (Vec::new(), Vec::new());
    for item in file.items {
        match item {
            Item::Fn(function) => functions.push(function),
            other => others.push(other.to_token_stream().to_string()),
        }
    }
    (functions, others)
}

/// When each function is there, and which parameters it has.
fn signatures(functions: &[ItemFn]) -> Vec<(String, Vec<String>)> {
    let text = |tokens: &dyn quote::ToTokens| tokens.to_token_stream().to_string();
    let of = |function: &ItemFn| {
        let names = function.sig.inputs.iter().map(|input| match input {
            syn::FnArg::Typed(typed) => text(&typed.pat),
            syn::FnArg::Receiver(_) => "self".to_owned(),
        });
        let generics = function.sig.generics.type_params();
        let generics = generics.map(|parameter| parameter.ident.to_string());
        (text(&function.attrs[0]), generics.chain(names).collect())
    };
    functions.iter().map(of).collect()
}

#[test]
fn a_function_is_written_once_for_each_configuration_of_its_parameters() {
    let expansion = entry::cached(
        quote!(ttl = 300, key = "user:<id>", skip(span, T)),
        &quote! {
            async fn user<#[cfg(traced)] T>(id: u64, #[cfg(traced)] span: &T) -> User {
                load(id).await
            }
        },
    );
    let (functions, others) = parts(expansion);
    assert!(others.is_empty(), "{others:?}");
    let expected = [
        ("# [cfg (all (not (all (all (traced)))))]", vec!["id"]),
        (
            "# [cfg (all (all (all (traced))))]",
            vec!["T", "id", "span"],
        ),
    ];
    let expected = expected.map(|(when, names)| {
        let names = names.into_iter().map(str::to_owned).collect();
        (when.to_owned(), names)
    });
    assert_eq!(signatures(&functions), expected);
}

#[test]
fn a_condition_may_itself_be_conditional() {
    let expansion = entry::invalidates(
        quote!("user:<id>"),
        &quote! {
            async fn rename(id: u64, #[cfg_attr(feature = "x", allow(unused), cfg(y))] span: &Span) {}
        },
    );
    let (functions, others) = parts(expansion);
    assert!(others.is_empty(), "{others:?}");
    let condition = "all (any (not (feature = \"x\") , all (all (y))))";
    let [without, with] = &signatures(&functions)[..] else {
        panic!("{} functions", functions.len())
    };
    assert_eq!(with.0, format!("# [cfg (all ({condition}))]"));
    assert_eq!(without.0, format!("# [cfg (all (not ({condition})))]"));
    assert_eq!((without.1.len(), with.1.len()), (1, 2));
}

#[test]
fn an_attribute_without_a_condition_leaves_one_function() {
    let expansion = entry::cached(
        quote!(ttl = 300),
        &quote! {
            async fn user(#[cfg_attr(x, allow(unused))] #[allow(unused)] id: u64) -> User {
                load(id).await
            }
        },
    );
    assert_eq!(parts(expansion).0.len(), 1);
}

#[test]
fn a_field_of_a_pattern_may_have_a_condition() {
    let expansion = entry::cached(
        quote!(ttl = 300, skip(rest, tenant)),
        &quote! {
            async fn user((User { id, #[cfg(tenants)] tenant, #[cfg(x)] .. }, rest): (User, u64)) -> User {
                load(id).await
            }
        },
    );
    let (functions, others) = parts(expansion);
    assert!(others.is_empty(), "{others:?}");
    let names = signatures(&functions).into_iter();
    let names: Vec<_> = names.map(|(_, names)| names.join(" ")).collect();
    assert_eq!(
        names,
        [
            "(User { id } , rest)",
            "(User { id , # [cfg (tenants)] tenant } , rest)",
            "(User { id , # [cfg (x)] .. } , rest)",
            "(User { id , # [cfg (tenants)] tenant , # [cfg (x)] .. } , rest)",
        ]
    );
}

#[test]
fn every_combination_of_conditions_is_one_configuration() {
    let expansion = entry::write_through(
        quote!(ttl = 300, key = "user:<id>", tags = []),
        &quote! {
            async fn user(#[cfg(x)] &self, id: u64, #[cfg(y)] a: A, #[cfg(x)] b: B) -> User {
                load(id).await
            }
        },
    );
    let names = signatures(&parts(expansion).0).into_iter();
    let names: Vec<_> = names.map(|(_, names)| names.join(" ")).collect();
    assert_eq!(names, ["id", "self id b", "id a", "self id a b"]);
}

#[test]
fn a_key_that_names_an_absent_parameter_is_refused_where_it_is_absent() {
    let expansion = entry::cached(
        quote!(ttl = 300, key = "user:<id>:<tenant>"),
        &quote! {
            async fn user(id: u64, #[cfg(tenants)] tenant: u64) -> User {
                load(id).await
            }
        },
    );
    let (functions, others) = parts(expansion);
    let [error] = &others[..] else {
        panic!("{others:?}")
    };
    assert!(
        error.starts_with("# [cfg (all (not (all (all (tenants)))))] :: core :: compile_error"),
        "{error}"
    );
    assert!(error.contains("`<tenant>` names a parameter that its `#[cfg]` takes away here"));
    assert!(error.contains("help: write one attribute for each configuration"));
    let bodies = functions
        .iter()
        .map(|function| function.to_token_stream().to_string());
    let cached: Vec<_> = bodies
        .map(|body| body.contains("__CACHED_REDIS_FUNCTION"))
        .collect();
    assert_eq!(cached, [false, true], "left as it was where it is wrong");
}

#[test]
fn a_mistake_of_every_configuration_is_told_once() {
    let expansion = entry::cached(
        quote!(ttl = 300, key = "user:<id>"),
        &quote! {
            async fn user(id: u64, lang: &str, #[cfg(traced)] span: &Span) -> User {
                load(id).await
            }
        },
    );
    let (functions, others) = parts(expansion);
    assert_eq!(functions.len(), 2);
    let of = |name: &str| {
        let found = others.iter().filter(|error| error.contains(name));
        found.map(|error| error.contains("not")).collect::<Vec<_>>()
    };
    // Of each configuration one, and one of them is compiled.
    assert_eq!(of("`lang` is neither"), [true, true]);
    assert_eq!(of("`span` is neither").len(), 1);
}

#[test]
fn more_conditions_than_can_be_combined_are_refused() {
    let of = |conditions: usize| {
        let (names, letters) = (["a", "b", "c", "d", "e"], ["v", "w", "x", "y", "z"]);
        let inputs = names
            .iter()
            .zip(letters)
            .take(conditions)
            .map(|(name, letter)| {
                let [name, letter] = [*name, letter].map(|name| quote::format_ident!("{name}"));
                quote!(#[cfg(#letter)] #name: u64)
            });
        let item = quote!(async fn user(#(#inputs),*) -> User { load().await });
        parts(entry::cached(quote!(ttl = 300), &item))
    };
    let (functions, others) = of(4);
    assert_eq!((functions.len(), others.len()), (16, 0), "{others:?}");
    let (functions, others) = of(5);
    assert_eq!((functions.len(), others.len()), (1, 1), "{others:?}");
    assert!(others[0].contains("more than 4 conditions of parameters"));
}

#[test]
fn a_misspelt_option_is_told_once_beside_the_function_as_it_was() {
    let item = quote! {
        async fn user(id: u64, #[cfg(traced)] span: &Span) -> User {
            load(id).await
        }
    };
    let (functions, others) = parts(entry::cached(quote!(tll = 300, skip(span)), &item));
    let (misspelt, missing): (Vec<_>, Vec<_>) = others
        .iter()
        .partition(|error| error.contains("`tll` is no option"));
    assert_eq!((misspelt.len(), functions.len()), (1, 1), "{missing:?}");
}
