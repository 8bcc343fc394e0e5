use cached_redis::invalidates;

#[invalidates("user")]
const USER: u64 = 1;

fn main() {}
