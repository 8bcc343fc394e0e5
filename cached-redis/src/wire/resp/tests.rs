use super::*;

fn parts(bytes: &[u8]) -> Result<Vec<Part>, Malformed> {
    let mut bytes = BytesMut::from(bytes);
    let mut parts = Vec::new();
    while let Some(part) = part(&mut bytes, &mut BytesMut::new())? {
        parts.push(part);
    }
    Ok(parts)
}

fn string(text: &'static str) -> Part {
    Part::String(text.into())
}

#[test]
fn strings_nulls_arrays_and_errors_are_taken_one_after_the_other() {
    let all = parts(b"*3\r\n$3\r\na\r\n\r\n$-1\r\n_\r\n$0\r\n\r\n-WRONGTYPE s3cret\r\n$2\r\na");
    let expected = [
        Part::Array(3),
        string("a\r\n"),
        Part::Null,
        Part::Null,
        string(""),
        Part::Error("WRONGTYPE".to_owned()),
    ];
    assert_eq!(all.unwrap(), expected);
}

#[test]
fn what_these_reads_cannot_have_as_an_answer_is_refused() {
    for bytes in [
        &b"+OK\r\n"[..],
        b":1\r\n",
        b"$x\r\n",
        b"$\r\n",
        b"$-2\r\n",
        b"$1\nx\r\n",
        b"$1\r\nxyz",
        b"$99999999999999999999999\r\n",
        b"$536870913\r\n",
        b"*1048577\r\n",
        b"\r\n",
        &[b'$'; LONGEST],
        &[b'-'; LONGEST_TEXT],
    ] {
        assert_eq!(parts(bytes), Err(Malformed), "{bytes:?}");
    }
}

/// Every kind of reply, one after the other.
const ALL: [&[u8]; 9] = [
    b"+OK\r\n",
    b"*2\r\n*1\r\n$3\r\n\r\n+\r\n:-1\r\n",
    b">2\r\n+message\r\n$2\r\n\r\n\r\n",
    b"%1\r\n+a\r\n~2\r\n_\r\n#t\r\n",
    b"|1\r\n+a\r\n:1\r\n*0\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"=5\r\ntxt:a\r\n",
    b"-ERR *1\r\n",
];

#[test]
fn the_end_of_every_reply_is_found_wherever_it_is_cut() {
    let bytes = ALL.concat();
    for size in 1..bytes.len() {
        let (mut ends, mut found, mut at) = (Ends::default(), Vec::new(), 0);
        for piece in bytes.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (taken, first) = ends.find(rest).unwrap();
                (rest, at) = (&rest[taken..], at + taken);
                found.extend(first.map(|first| (first, at)));
            }
        }
        let lengths = ALL.iter().scan(0, |at, reply| {
            *at += reply.len();
            Some((reply[0], *at))
        });
        assert_eq!(found, lengths.collect::<Vec<_>>(), "in pieces of {size}");
        assert!(ends.is_between());
    }
}

#[test]
fn lengths_that_nothing_can_have_and_strings_of_another_length_are_refused() {
    for bytes in [
        &b"$536870913\r\n"[..],
        b"%1048577\r\n",
        b"*99999999999999999999\r\n",
        b"*1x\r\n",
        b"*\r\n",
        b"=-1\r\n",
        b"!-1\r\n",
        b"%-1\r\n",
        b"*1\rx",
        b"$1\r\nxyz",
        b"$1\r\nx\rz",
        b"?\r\n",
    ] {
        assert_eq!(Ends::default().find(bytes), Err(Malformed), "{bytes:?}");
    }
}

#[test]
fn a_string_that_is_large_leaves_nothing_of_its_size_behind() {
    let large = vec![b'x'; 4 * LARGE];
    let head = format!("$1\r\na\r\n${}\r\n", large.len());
    let replies = [head.as_bytes(), &large, b"\r\n$1\r\nb\r\n$1\r\n"].concat();
    let mut bytes = BytesMut::from(&replies[..]);
    let all = bytes.as_ptr_range();
    let mut next = || part(&mut bytes, &mut BytesMut::new()).unwrap();
    assert_eq!(next(), Some(string("a")));
    let Some(Part::String(copy)) = next() else {
        panic!()
    };
    let copy = copy.try_into_mut().unwrap();
    assert_eq!((copy.capacity(), &copy[..]), (large.len(), &large[..]));
    assert_eq!([next(), next()], [Some(string("b")), None]);
    assert!(!all.contains(&bytes.as_ptr()));
}

#[test]
fn a_line_has_a_whole_end() {
    let bytes = b"+a\nb\rc\r\r\n";
    assert_eq!(Ends::default().find(bytes), Ok((bytes.len(), Some(b'+'))));
}

#[test]
fn a_small_answer_keeps_nothing_of_what_was_received_with_it_and_another_is_a_part_of_that() {
    for (length, is_part) in [(0, false), (100, false), (SMALL - 1, false), (SMALL, true)] {
        let string = "x".repeat(length);
        let reply = format!("${length}\r\n{string}\r\n");
        let mut received = BytesMut::from(reply.as_bytes());
        let all = received.as_ptr_range();
        let mut answers = Answers::default();
        assert_eq!(answers.take(&mut received, None), Ok(Some(Reply::Answers)));
        let [Some(answer)] = &answers.strings[..] else {
            panic!()
        };
        assert_eq!(answer, string.as_bytes());
        assert_eq!(all.contains(&answer.as_ptr()), is_part, "{length}");
        assert!(answers.small.capacity() <= CHUNK);
    }
}

#[test]
fn a_number_is_an_answer_where_any_may_be_wherever_it_is_cut() {
    for reply in ["1", "-20", ""] {
        let bytes = format!(":{reply}\r\n+");
        let (mut answers, mut received) = (Answers::default(), BytesMut::new());
        for byte in &bytes.as_bytes()[..reply.len() + 2] {
            received.extend_from_slice(&[*byte]);
            assert_eq!(answers.take_any(&mut received), Ok(None));
        }
        received.extend_from_slice(b"\n+");
        assert_eq!(answers.take_any(&mut received), Ok(Some(Reply::Answers)));
        assert_eq!(answers.strings, [Some(reply.into())]);
        assert_eq!(received, "+");
    }
    let mut malformed = BytesMut::from(&b":1\n"[..]);
    assert_eq!(Answers::default().take_any(&mut malformed), Err(Malformed));
}

#[test]
fn of_what_is_no_answer_to_a_command_nothing_is_kept() {
    let many = ["*100\r\n", &"$1\r\nx\r\n".repeat(100)].concat();
    for count in [None, Some(99)] {
        let mut answers = Answers::default();
        let mut received = BytesMut::from(many.as_bytes());
        assert_eq!(answers.take(&mut received, count), Ok(Some(Reply::Odd)));
        assert!(answers.strings.is_empty() && received.is_empty());
    }
}

#[test]
fn a_small_string_is_read_as_all_others_are_and_nothing_else_is_taken_for_one() {
    for reply in [
        &b"$0\r\n\r\n"[..],
        b"$2\r\n\r\n\r\nx",
        b"$12\r\nabcdefghijkl\r\n",
        b"$12\r\nabcdefghijk",
        b"$2\r\nab\rx",
        b"$2\r\nabcd",
        b"$2\rxab\r\n",
        b"$2\n\nab\r\n",
        b"$-1\r\n",
        b"$\r\n\r\n",
        b"$2",
        b"$00002\r\nab\r\n",
        b"$99999999999\r\nab\r\n",
        b"*2\r\nab\r\n",
        b"",
    ] {
        let mut answers = Answers::default();
        let [mut bytes, mut rest] = [(); 2].map(|()| BytesMut::from(reply));
        let taken = answers.part(&mut bytes);
        let other = part(&mut rest, &mut BytesMut::new());
        assert_eq!((taken, bytes), (other, rest), "{reply:?}");
    }
}
