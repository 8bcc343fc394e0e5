//! What is under way on a link, in one order each way.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    /// Of all that this reader wants over the link: a GET, or an MGET.
    Get(u8),
    Ping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    /// To this reader.
    Reply(u8),
    Redirect,
    Pong {
        /// The server has heard of an election.
        elected: bool,
    },
    Changed(u8),
    Flushed,
}

/// First in, first out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Queue<M>([Option<M>; 8]);

impl<M: Copy + PartialEq> Queue<M> {
    pub(crate) const EMPTY: Self = Self([None; 8]);

    pub(crate) fn first(&self) -> Option<M> {
        self.0[0]
    }

    pub(crate) fn pop(&mut self) {
        self.0.rotate_left(1);
        self.0[7] = None;
    }

    /// Twice the same in a row is to the receiver what one is.
    pub(crate) fn push(&mut self, message: M) {
        let end = self.0.iter().position(Option::is_none);
        let end = end.expect("fewer messages under way than a queue holds");
        if end == 0 || self.0[end - 1] != Some(message) {
            self.0[end] = Some(message);
        }
    }
}
