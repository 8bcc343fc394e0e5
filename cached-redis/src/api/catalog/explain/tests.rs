use super::*;

fn catalog(key: &str, parameters: &[(&str, &str)]) -> Exported {
    let parameters = serde_json::to_string(parameters).unwrap();
    let json = format!(
        r#"{{"functions":[{{"function":"shop::read","key":"{key}","parameters":{parameters}}}]}}"#
    );
    Exported::from_json(&json).unwrap()
}

fn explained(
    key: &str,
    parameters: &[(&str, &str)],
    arguments: &[&str],
) -> Result<String, ExplainError> {
    let key = catalog(key, parameters).explain("read", arguments)?;
    Ok(key.as_ref().to_owned())
}

#[test]
fn arguments_come_in_the_order_of_the_parameters_or_by_name() {
    let two = [("source", "&Source"), ("shop", "u32"), ("city", "&str")];
    let key = "<city>:of:<shop>";
    for arguments in [&["7", "K\u{f6}ln a:b"][..], &["city=K\u{f6}ln a:b", "7"]] {
        let told = explained(key, &two, arguments);
        assert_eq!(told.as_deref(), Ok("K\u{f6}ln%20a%3Ab:of:7"));
    }
    let field = explained("u:<user.id>", &[("user", "&User")], &["user.id=5"]);
    assert_eq!(field.as_deref(), Ok("u:5"));
}

#[test]
fn a_key_is_the_one_that_the_program_would_render() {
    let of = |ty, format, text| {
        let key = format!("k:<x{format}>");
        explained(&key, &[("x", ty)], &[text]).unwrap()
    };
    assert_eq!(of("u64", "", "007"), "k:7");
    assert_eq!(of("Option<u32>", "", "None"), "k:%none");
    assert_eq!(of("Option<&str>", "", "Some(None)"), "k:None");
    assert_eq!(of("Option<u32>", ":?", "Some(3)"), "k:Some(3)");
    assert_eq!(of("&str", ":?", "a"), "k:\"a\"");
    let hash = |key: Key| key.as_ref().to_owned();
    assert_eq!(of("u64", ":hash", "5"), hash(Key::new("k:").hash(&5_u64)));
    assert_eq!(of("i8", ":hash", "5"), hash(Key::new("k:").hash(&5_i8)));
    assert_eq!(of("String", ":hash", "5"), hash(Key::new("k:").hash("5")));
    assert_eq!(of("Uuid", "", "c0ffee"), "k:c0ffee");
}

#[test]
fn what_cannot_be_told_is_refused_with_what_to_give_instead() {
    let one = [("id", "u64")];
    let told = |key, arguments: &[&str]| explained(key, &one, arguments).unwrap_err();
    assert_eq!(
        told("user:<id>", &[]).to_string(),
        "`id` is missing: give id: u64, in this order or as NAME=VALUE"
    );
    assert_eq!(
        told("user:<id>", &["1", "2"]).to_string(),
        "too many arguments: the key is made of id: u64"
    );
    assert_eq!(
        told("user:<id>", &["secret"]).to_string(),
        "`id` is no `u64`"
    );
    let format = explained("by:<f:hash>", &[("f", "&Filter")], &["x"]).unwrap_err();
    assert!(
        format
            .to_string()
            .contains("only the program can render `<f:hash>` of a `&Filter`")
    );
    let unknown = catalog("a", &[]).explain("write", &[]).unwrap_err();
    assert_eq!(unknown.to_string(), "no cached function is named `write`");
}
