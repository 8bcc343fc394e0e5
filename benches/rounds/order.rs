//! What is cached and read: an order of as many lines as its size asks for, and how it is read by hand.

use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};

use super::decoded;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Order {
    pub id: usize,
    customer: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Line {
    article: u64,
    title: String,
    cents: u32,
    gift: Option<bool>,
}

pub fn order(lines: usize, id: usize) -> Order {
    let line = |number: usize| Line {
        article: 1_000_000_000_000 + number as u64,
        title: format!("The {number:04}th article of the list, bound in cloth"),
        cents: 1999,
        gift: Some(false),
    };
    Order {
        id,
        customer: "Ada Lovelace, 12 St James's Square".to_owned(),
        lines: (0..lines).map(line).collect(),
    }
}

pub async fn by_hand(mut connection: MultiplexedConnection, lines: usize, id: usize) -> Order {
    let key = hand_key(lines, id);
    let answer = redis::cmd("GET")
        .arg(key)
        .query_async(&mut connection)
        .await;
    let bytes: Vec<u8> = answer.expect("the server answers");
    decoded(&bytes)
}

pub fn hand_key(lines: usize, id: usize) -> String {
    format!("bench:hand:{lines}:{id}")
}
