//! What a route says of its responses.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header;
use http::request::Parts;

use crate::asked::Vary;
use crate::build::BuildId;
use crate::cdn::Cdn;

/// What a route adds to the tag.
type Input = Arc<dyn Fn(&Parts) -> Vec<u8> + Send + Sync>;

/// See [`ConditionalGetLayer`](crate::ConditionalGetLayer).
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) build: BuildId,
    pub(crate) vary: Vary,
    pub(crate) inputs: Vec<Input>,
    /// Cookies that do not count; those that begin with it where it ends in `*`.
    pub(crate) ignored: Vec<String>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) cdn: Option<Cdn>,
}

impl Settings {
    pub(crate) fn new(build: BuildId) -> Self {
        Self {
            build,
            vary: [header::AUTHORIZATION, header::COOKIE]
                .map(|name| name.to_string())
                .into(),
            inputs: Vec::new(),
            ignored: Vec::new(),
            max_age: None,
            cdn: None,
        }
    }

    pub(crate) fn input<V: AsRef<[u8]>>(
        &mut self,
        input: impl Fn(&Parts) -> V + Send + Sync + 'static,
    ) {
        let input = move |parts: &Parts| input(parts).as_ref().to_vec();
        self.inputs.push(Arc::new(input));
    }

    pub(crate) fn vary(&mut self, names: impl IntoIterator<Item = HeaderName>) {
        self.vary
            .extend(names.into_iter().map(|name| name.to_string()));
    }

    /// A header `Cookie` without what does not count.
    pub(crate) fn cookies(&self, header: &[u8]) -> Vec<u8> {
        let cookies = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let counted: Vec<_> = cookies.filter(|cookie| !self.ignores(cookie)).collect();
        counted.join(&b';')
    }

    fn ignores(&self, cookie: &[u8]) -> bool {
        let name = cookie.split(|byte| *byte == b'=').next();
        let name = name.unwrap_or_default();
        let is = |ignored: &String| match ignored.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix.as_bytes()),
            None => name == ignored.as_bytes(),
        };
        self.ignored.iter().any(is)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("vary", &self.vary)
            .field("inputs", &self.inputs.len())
            .field("ignored", &self.ignored)
            .field("max_age", &self.max_age)
            .field("cdn", &self.cdn)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_is_ignored_leaves_no_trace_and_all_others_count() {
        let mut settings = Settings::new(BuildId::new("1"));
        settings.ignored = vec!["_ga*".to_owned(), "seen".to_owned()];
        for (header, counted) in [
            ("_ga=1; session=a; _ga_X7=2; seen=1", "session=a"),
            ("seen2=1;session=b", "seen2=1;session=b"),
            ("seen", ""),
            ("session=a=_ga; x", "session=a=_ga;x"),
        ] {
            assert_eq!(settings.cookies(header.as_bytes()), counted.as_bytes());
        }
    }
}
