//! The key of a function for given arguments.

use serde_json::json;

use crate::Verdict;
use crate::args::{Explain, Place};
use crate::failure::Failure;
use crate::out::Out;

pub(super) fn run(place: &Place, args: &Explain, out: &mut Out) -> Result<Verdict, Failure> {
    let catalog = place.needs_catalog()?;
    let arguments: Vec<_> = args.arguments.iter().map(String::as_str).collect();
    let key = catalog.explain(&args.function, &arguments)?;
    let function = catalog.function(&args.function)?;
    let namespace = place.namespace.as_deref();
    let in_redis = namespace.map(|namespace| key.in_namespace(namespace));
    if out.json {
        let name = &function.function;
        out.json(&json!({ "function": name, "key": key.as_ref(), "in_redis": in_redis }))?;
        return Ok(Verdict::Good);
    }
    let place = format!(
        "{} ({}:{})",
        function.function, function.file, function.line
    );
    let mut facts = vec![("key", key.as_ref().to_owned())];
    facts.extend(in_redis.map(|key| ("in Redis", key)));
    facts.extend([("function", place), ("template", function.key.clone())]);
    out.facts(&facts)?;
    Ok(Verdict::Good)
}
