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
    let quotes: Vec<_> = page.split("```text\n").skip(1).collect();
    assert!(quotes.len() >= programs.len(), "each program is quoted");
    for quote in quotes {
        let (quote, _) = quote.split_once("```").expect("a fence ends");
        let quoted = without_space(quote);
        assert!(
            programs.iter().any(|program| program.contains(&quoted)),
            "no recipe has this:\n{quote}"
        );
    }
}

/// Lines are broken as it suits the page.
fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}
