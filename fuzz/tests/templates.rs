//! Any text where a template belongs.

#[test]
fn every_text_is_refused_where_it_stands_or_is_the_template_it_looks_like() {
    cached_redis_fuzz::run::run("templates", 50_000, cached_redis_fuzz::templates::check);
}
