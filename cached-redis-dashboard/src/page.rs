//! The page: one file with its style and script, and a policy that lets it use nothing else.
//!
//! The policy names the hashes of both, so that nothing that gets into the page by mistake is run; and no text can
//! become markup there, since the script may not even ask for that (`require-trusted-types-for`).

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

macro_rules! style {
    () => {
        concat!(
            include_str!("../page/frame.css"),
            include_str!("../page/parts.css")
        )
    };
}

macro_rules! script {
    () => {
        concat!(
            "'use strict';\n",
            include_str!("../page/dom.js"),
            include_str!("../page/data.js"),
            include_str!("../page/charts.js"),
            include_str!("../page/verdict.js"),
            include_str!("../page/functions.js"),
            include_str!("../page/panels.js"),
            include_str!("../page/actions.js"),
            include_str!("../page/main.js"),
        )
    };
}

const TEXT: &str = concat!(
    include_str!("../page/head.html"),
    "<style>",
    style!(),
    "</style>\n</head>\n",
    include_str!("../page/body.html"),
    "<script>",
    script!(),
    "</script>\n</body>\n</html>\n",
);

pub(crate) fn text() -> &'static str {
    TEXT
}

pub(crate) fn policy() -> &'static HeaderValue {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            hash(script!()),
            hash(style!()),
        );
        HeaderValue::from_str(&policy).expect("a policy is made of visible characters")
    });
    &POLICY
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
