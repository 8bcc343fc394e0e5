//! The page of recipes says what its programs do, word for word.

use std::fs;
use std::path::Path;

const PAGE: &str = "cached-redis/src/docs/recipes.md";

#[test]
fn what_the_page_of_recipes_quotes_stands_in_one_of_the_programs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs: Vec<String> = fs::read_dir(root.join("recipes"))
        .expect("a folder of recipes")
        .map(|recipe| recipe.expect("a recipe").path().join("src/main.rs"))
        .map(|program| without_space(&fs::read_to_string(program).expect("a program")))
        .collect();
    let page = fs::read_to_string(root.join(PAGE)).expect("the page");
    let quotes = page.split("```text\n").skip(1);
    let quotes: Vec<_> = quotes
        .map(|quote| without_space(quote.split_once("```").expect("a fence ends").0))
        .collect();
    let stands = |program: &String, quote: &String| program.contains(quote);
    for quote in &quotes {
        let known = programs.iter().any(|program| stands(program, quote));
        assert!(known, "no recipe has this: {quote}");
    }
    for program in &programs {
        let quoted = quotes.iter().any(|quote| stands(program, quote));
        assert!(quoted, "a recipe is not quoted: {program}");
    }
}

/// Lines are broken as it suits the page.
fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}
