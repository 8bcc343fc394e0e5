//! The pictures of the pages are drawn from their sources in `pictures/`, whose first line says in words what they
//! show. `BLESS=1 cargo test -p cached-redis --lib pictures` draws them anew.

use std::path::{Path, PathBuf};
use std::{env, fs};

use pikchr::{Pikchr, PikchrFlags};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs")
}

/// One that has the colours of the page around it, of `rustdoc` or of the site, and is one block of it.
fn draw(source: &str) -> String {
    let (title, drawn) = source.split_once('\n').expect("a title and a drawing");
    let title = title.trim_start_matches("# ");
    let picture = Pikchr::render(drawn, None, PikchrFlags::default()).expect("a drawing");
    let (head, inside) = picture.rendered().split_once('>').expect("an element");
    let size = head
        .split('"')
        .find(|part| part.starts_with("0 0 "))
        .expect("its size");
    let colours = [
        ("rgb(0,0,0)", "currentColor"),
        ("rgb(255,255,255)", "var(--main-background-color,var(--bg))"),
        (
            "rgb(211,211,211)",
            "var(--code-block-background-color,var(--quote-bg))",
        ),
        ("\n", ""),
    ];
    let inside = colours
        .into_iter()
        .fold(inside.to_owned(), |it, (from, to)| it.replace(from, to));
    let width = picture.width();
    format!(
        "<div><svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"{size}\" \
         style=\"max-width:{width}px;width:100%;font-size:initial\"><title>{title}</title>{inside}</div>"
    )
}

/// The same as a file, which has colours of its own: those that whoever looks at it has chosen.
fn as_file(picture: &str) -> String {
    const COLOURS: &str = "<style>svg{color:#1f2328;--bg:#fff;--quote-bg:#eaeef2;font-family:sans-serif}\
         @media(prefers-color-scheme:dark){svg{color:#e6edf3;--bg:#0d1117;--quote-bg:#30363d}}</style>";
    let inside = picture.trim_start_matches("<div>");
    let inside = inside.trim_end_matches("</div>");
    let (title, drawn) = inside.split_once("</title>").expect("a title");
    format!("{title}</title>{COLOURS}{drawn}\n")
}

#[test]
fn the_house_is_that_of_its_source() {
    let pictures = folder().join("pictures");
    let source = fs::read_to_string(pictures.join("house.pikchr")).expect("text");
    let (drawn, file) = (as_file(&draw(&source)), pictures.join("house.svg"));
    if env::var_os("BLESS").is_some() {
        fs::write(&file, drawn).expect("written");
    } else {
        let shown = fs::read_to_string(&file).expect("the picture");
        assert_eq!(shown, drawn, "BLESS=1 draws it anew");
    }
}

#[test]
fn pictures_are_those_of_their_sources() {
    let mut drawn = 0;
    for file in fs::read_dir(folder().join("pictures")).expect("the folder of pictures") {
        let file = file.expect("a file").path();
        if file
            .extension()
            .is_none_or(|extension| extension != "pikchr")
        {
            continue;
        }
        let name = file.file_stem().expect("a name").to_string_lossy();
        let (open, close) = (format!("<!-- picture: {name} -->\n"), "\n<!-- end -->");
        let picture = draw(&fs::read_to_string(&file).expect("text"));
        for page in fs::read_dir(folder()).expect("the folder of pages") {
            let page = page.expect("a page").path();
            let text = fs::read_to_string(&page).unwrap_or_default();
            let Some((before, rest)) = text.split_once(&open) else {
                continue;
            };
            let (shown, after) = rest.split_once(close).expect("the end of a picture");
            drawn += 1;
            if env::var_os("BLESS").is_some() {
                fs::write(&page, format!("{before}{open}{picture}{close}{after}"))
                    .expect("written");
            } else {
                assert_eq!(
                    shown,
                    picture,
                    "{name} in {}: BLESS=1 draws it anew",
                    page.display()
                );
            }
        }
    }
    assert!(drawn >= 5, "a picture stands on no page");
}
