use super::*;

/// A log in which one entry is left behind a hole that shows only when it was claimed.
#[derive(Default)]
struct Holed {
    is_claimed: bool,
}

impl Log for Holed {
    async fn connect(&mut self) -> Answer<()> {
        Ok(())
    }

    async fn lacks(&mut self) -> Answer<bool> {
        Ok(self.is_claimed)
    }

    async fn create(&mut self, _: bool) -> Answer<bool> {
        Ok(false)
    }

    async fn pending(&mut self, _: &str) -> Answer<Batch> {
        Ok(Batch::default())
    }

    async fn fresh(&mut self, _: Duration) -> Answer<Batch> {
        std::future::pending().await
    }

    async fn claim(&mut self) -> Answer<Batch> {
        self.is_claimed = true;
        let entry = ("1-0".to_owned(), Some(Bytes::from_static(b"user:1")));
        Ok(Batch {
            entries: vec![entry],
            ..Batch::default()
        })
    }

    async fn acknowledge(&mut self, _: Vec<String>) -> Answer<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_hole_in_front_of_what_was_claimed_is_settled_before_that_is_handed_on() {
    let reader = Reader {
        log: "log".to_owned(),
        field: "message",
        group: "group".to_owned(),
        consumer: "one".to_owned(),
        from_start: true,
        claim_after: Duration::from_secs(60),
        readable: |_| true,
        certain: true,
    };
    let (taker, mut entries) = mpsc::channel(8);
    let (tried, _first_try) = oneshot::channel();
    tokio::spawn(follow(Holed::default(), Arc::new(reader), taker, tried));
    let Some(Entry::Gap(settled)) = entries.recv().await else {
        panic!("a gap comes first");
    };
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(entries.try_recv().is_err(), "it is not settled yet");
    settled.send(()).unwrap();
    let Some(Entry::Message(id, _)) = entries.recv().await else {
        panic!("the entry comes");
    };
    assert_eq!(id, "1-0");
}
