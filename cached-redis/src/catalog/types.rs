//! The types of values, as far as the text of the source tells.

/// The type of what stands under a key, inside `Option` and `Result`.
pub(super) fn kept(returned: &str) -> &str {
    let Some((name, rest)) = returned.split_once('<') else {
        return returned;
    };
    if !name.ends_with("Result") && !name.ends_with("Option") {
        return returned;
    }
    let mut depth = 0;
    let end = rest.find(|c| {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && c == ','
    });
    end.map_or(returned, |end| kept(&rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn what_is_kept_is_inside_options_and_results() {
        for (returned, value) in [
            ("User", "User"),
            ("Vec<User>", "Vec<User>"),
            ("Result<Option<User>, DbError>", "User"),
            ("crate::ApiResult<Vec<(u8, User)>>", "Vec<(u8, User)>"),
            ("Option<Option<User>>", "User"),
        ] {
            assert_eq!(kept(returned), value);
        }
    }
}
