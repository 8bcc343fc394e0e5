use super::*;

#[cfg(not(feature = "zstd"))]
#[test]
fn without_the_feature_nothing_is_packed_and_nothing_unpacked() {
    assert_eq!(pack(&[0; 1000]), None);
    assert_eq!(unpack(&[0; 1000], 1000), Err(Unpackable::NotBuilt));
}

#[cfg(feature = "zstd")]
mod zstd {
    use super::*;

    const MOST: u64 = 1 << 20;

    fn text(lines: usize) -> Vec<u8> {
        let line = |n| format!("line {n} of a value that repeats itself\n");
        (0..lines).map(line).collect::<String>().into_bytes()
    }

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect()
    }

    #[test]
    fn what_was_packed_comes_back_and_is_smaller() {
        for lines in [2, 20, 200, 20_000] {
            let text = text(lines);
            let packed = pack(&text).unwrap();
            assert!(packed.len() < text.len(), "{lines}");
            assert_eq!(unpacked_length(&packed), Some(text.len() as u64));
            assert_eq!(unpack(&packed, MOST), Ok(text), "{lines}");
        }
    }

    #[test]
    fn what_does_not_shrink_is_not_packed() {
        for payload in [vec![], vec![7], noise(1, 10_000)] {
            assert_eq!(pack(&payload), None);
        }
    }

    #[test]
    fn nothing_is_unpacked_beyond_the_limit() {
        let packed = pack(&vec![0; MOST as usize + 1]).unwrap();
        assert!(packed.len() < 200, "{} bytes", packed.len());
        assert_eq!(unpack(&packed, MOST), Err(Unpackable::Odd));
        assert!(unpack(&packed, MOST + 1).is_ok());
    }

    #[test]
    fn a_truncated_or_lengthened_frame_is_odd() {
        let packed = pack(&text(20)).unwrap();
        for length in 0..packed.len() {
            assert_eq!(unpack(&packed[..length], MOST), Err(Unpackable::Odd));
        }
        // A frame that is skipped would do no harm; no writer adds one.
        let skipped = b"\x50\x2A\x4D\x18\0\0\0\0";
        for behind in [&b"\0"[..], &packed, &pack(&text(3)).unwrap(), skipped] {
            let longer = [&packed, behind].concat();
            assert_eq!(unpack(&longer, MOST), Err(Unpackable::Odd));
        }
    }

    #[test]
    fn a_frame_with_any_bit_changed_is_odd_or_says_the_same() {
        let text = text(20);
        let packed = pack(&text).unwrap();
        for bit in 0..packed.len() * 8 {
            let mut changed = packed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(unpacked) = unpack(&changed, MOST) {
                assert_eq!(unpacked, text, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_frame_that_lies_about_its_length_is_odd() {
        let text = text(20);
        let packed = pack(&text).unwrap();
        // Behind magic number and descriptor, in two bytes less 256.
        assert_eq!((packed[4] >> 6, packed[4] & 0x20), (1, 0x20));
        for lie in [0, 1, 255, text.len() - 1, text.len() + 1, 65_791].map(|lie| lie as u64) {
            let mut lying = packed.clone();
            let field = (lie as u16).wrapping_sub(256).to_le_bytes();
            lying[5..7].copy_from_slice(&field);
            assert_eq!(unpack(&lying, MOST), Err(Unpackable::Odd), "{lie}");
        }
    }

    #[test]
    fn a_short_frame_that_claims_very_much_is_odd_before_there_is_room_for_it() {
        // A frame of one empty block, whose content is 2 GiB by its own account.
        let mut bomb = vec![0x28, 0xB5, 0x2F, 0xFD, 0b1010_0000];
        bomb.extend((2_u32 << 30).to_le_bytes());
        bomb.extend([1, 0, 0]);
        assert_eq!(unpacked_length(&bomb), None);
        assert_eq!(unpack(&bomb, u64::MAX), Err(Unpackable::Odd));
    }

    #[test]
    fn random_bytes_are_odd() {
        for seed in 0..1000 {
            let bytes = noise(seed, seed as usize % 200);
            assert_eq!(unpack(&bytes, MOST), Err(Unpackable::Odd));
            let framed = [&[0x28, 0xB5, 0x2F, 0xFD], &bytes[..]].concat();
            assert_eq!(unpack(&framed, MOST), Err(Unpackable::Odd), "{seed}");
        }
    }
}
