//! What a server answers that does not have the key.

use super::peer::Peer;
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::slot::SLOTS;

/// Where to go instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) slot: u16,
    pub(super) to: Peer,
    /// With this one command alone: the slot is on its way there.
    pub(super) is_once: bool,
}

impl Redirect {
    /// That of an answer which `asked` gave.
    pub(super) fn of<T>(answer: &Answer<T>, asked: &Peer) -> Option<Self> {
        let Err(StoreError::Server { code }) = answer else {
            return None;
        };
        let mut words = code.split(' ');
        let is_once = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let slot = words.next()?.parse().ok()?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        let to = Peer::named(Some(host), port.parse().ok()?, asked)?;
        let is_slot = usize::from(slot) < SLOTS;
        is_slot.then_some(Self { slot, to, is_once })
    }
}

/// Whether the answer of a server shows that what is known of the cluster may be outdated.
pub(super) fn is_doubtful<T>(answer: &Answer<T>) -> bool {
    match answer {
        Ok(_) => false,
        Err(StoreError::Server { code }) => matches!(
            code.split(' ').next().unwrap_or_default(),
            "MOVED" | "READONLY" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN"
        ),
        Err(error) => error.is_away(),
    }
}

/// An answer that is not followed any further.
pub(super) fn give_up<T>(answer: &mut Answer<T>) {
    if let Err(StoreError::Server { code }) = answer
        && (code.starts_with("MOVED ") || code.starts_with("ASK "))
    {
        *answer = Err(StoreError::Unavailable);
    }
}

/// Whether some of several keys of one slot may have been the reason: they are on their way one by one.
pub(super) fn is_of_some(error: &StoreError) -> bool {
    matches!(error, StoreError::Server { code } if code == "TRYAGAIN")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(code: &str) -> Option<Redirect> {
        let code = code.to_owned();
        let answer = Err::<(), _>(StoreError::Server { code });
        Redirect::of(&answer, &Peer::new("asked", 7000))
    }

    #[test]
    fn a_redirect_names_the_slot_and_the_server() {
        let to = |slot, host: &str, port, is_once| {
            let to = Peer::new(host, port);
            Some(Redirect { slot, to, is_once })
        };
        assert_eq!(
            redirect("MOVED 3999 127.0.0.1:6381"),
            to(3999, "127.0.0.1", 6381, false)
        );
        assert_eq!(redirect("ASK 0 ::1:6381"), to(0, "::1", 6381, true));
        assert_eq!(redirect("MOVED 1 :6381"), to(1, "asked", 6381, false));
        for odd in [
            "MOVED",
            "MOVED 16384 a:1",
            "MOVED 1 a",
            "MOVED 1 ?:1",
            "ERR 1 a:1",
        ] {
            assert_eq!(redirect(odd), None, "{odd}");
        }
    }
}
