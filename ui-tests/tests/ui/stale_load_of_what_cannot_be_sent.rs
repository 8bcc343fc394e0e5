//! What a load takes along goes to a task of its own.

use std::rc::Rc;

use cached_redis::redis_cached;

struct Session(Rc<u64>);

#[redis_cached(ttl = 5, refresh_ahead = 0.8, key = "user:<id>", skip(session))]
async fn user(session: Session, id: u64) -> u64 {
    id + *session.0
}

#[redis_cached(ttl = 5, refresh_ahead = 0.8, key = "price:<id>", skip(session))]
async fn price((mut session, id): (Session, u64)) -> u64 {
    session.0 = Rc::new(id);
    id
}

fn main() {}
