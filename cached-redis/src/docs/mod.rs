//! Long pages, in the order in which they are read: from the first attribute to production, and what is promised.

/// The pages in their order. Each has the one before and the one after at its foot.
macro_rules! pages {
    ([$($before:ident $back:literal)?] $(#[$more:meta])* $name:ident $title:literal,) => {
        #[doc = include_str!(concat!(stringify!($name), ".md"))]
        $(#[$more])*
        #[doc = concat!("\n\n---\n\n", $("← [", $back, "](crate::docs::", stringify!($before), ")")?)]
        pub mod $name {}
    };
    (
        [$($before:ident $back:literal)?] $(#[$more:meta])* $name:ident $title:literal,
        $(#[$later:meta])* $next:ident $ahead:literal, $($rest:tt)*
    ) => {
        #[doc = include_str!(concat!(stringify!($name), ".md"))]
        $(#[$more])*
        #[doc = concat!(
            "\n\n---\n\n", $("← [", $back, "](crate::docs::", stringify!($before), ") · ",)?
            "[", $ahead, "](crate::docs::", stringify!($next), ") →"
        )]
        pub mod $name {}
        pages!([$name $title] $(#[$later])* $next $ahead, $($rest)*);
    };
}

pages! {
    []
    start "Start",
    promise "The promise in one page",
    strategies "Strategies by name",
    reading "Reading",
    keys "Keys",
    catalog "The catalogue",
    invalidating "Invalidating",
    writing "Writing",
    transactions "Transactions",
    two_phases "Two phases",
    tags "Tags",
    nested "Nested calls",
    batches "Batches",
    stampedes "Freshness",
    loads "Where loads run",
    versions "Versions",
    two_levels "Two levels",
    http "HTTP",
    web "In a web application",
    recipes "Recipes",
    values "Values that live in Redis alone",
    write_behind "Write-behind",
    events "Events",
    messages "Invalidating from elsewhere",
    captured_changes "Captured changes",
    jobs "Background jobs",
    codecs "Codecs and changing types",
    configuration "Configuration",
    operations "Operations",
    log "Log messages",
    command_line "Command line",
    metrics "Metrics and traces",
    troubleshooting "Troubleshooting",
    redis "Redis",
    deployments "Deployments",
    outages "Outages",
    deploying "Deploy and roll back",
    rollout "Rollout and audits",
    performance "Performance",
    #[cfg_attr(feature = "testing", doc = include_str!("testing_failure.md"))]
    testing "Testing",
    comparison "Comparison and migration",
    faq "Questions",
    glossary "Glossary",
    consistency "Consistency in detail",
    evidence "Evidence",
}

#[cfg(test)]
mod checks;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod questions;
