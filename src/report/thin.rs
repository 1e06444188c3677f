//! Lines with more points than a picture has room for. Pure.

/// So many of these numbers' places at most, in their order: the first and the last, the first of the highest and the
/// first of the lowest, and others at even distances. `most` is at least four. A place without a number is no extreme.
pub(crate) fn thinned(numbers: &[Option<i64>], most: usize) -> Vec<usize> {
    let most = most.max(4);
    let last = numbers.len().saturating_sub(1);
    if numbers.len() <= most {
        return (0..numbers.len()).collect();
    }
    let known = || {
        let known = numbers.iter().enumerate();
        known.filter_map(|(at, number)| Some((at, (*number)?)))
    };
    // Of several as low, `min_by_key` takes the first one; of several as high, `max_by_key` the last.
    let lowest = known().min_by_key(|(_, number)| *number);
    let highest = known().rev().max_by_key(|(_, number)| *number);
    let mut kept: Vec<usize> = lowest.iter().chain(&highest).map(|(at, _)| *at).collect();
    let steps = most - kept.len() - 1;
    kept.extend((0..=steps).map(|step| step * last / steps));
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_ends_and_extremes_and_no_more_points_than_it_has_room_for() {
        for (length, most) in [
            (0, 40),
            (1, 40),
            (40, 40),
            (41, 40),
            (2_000, 60),
            (3_000, 4),
            (9, 2),
        ] {
            let mut line: Vec<Option<i64>> = (0..length).map(|n| Some(n * 37 % 100)).collect();
            if length > 20 {
                (line[11], line[13], line[17]) = (Some(-5), None, Some(900));
            }
            let kept = thinned(&line, most);
            assert!(kept.is_sorted_by(|one, next| one < next), "{kept:?}");
            assert!(kept.len() <= most.max(4) && kept.len() <= line.len());
            assert_eq!(kept.first().copied(), (length > 0).then_some(0));
            assert_eq!(kept.last().copied(), line.len().checked_sub(1));
            if length > 20 {
                assert!(kept.contains(&11) && kept.contains(&17), "{kept:?}");
            }
            if line.len() > most.max(8) {
                assert!(kept.len() >= most / 2, "{length}: {kept:?}");
            }
        }
    }

    #[test]
    fn what_lies_between_is_kept_at_even_distances_and_a_line_of_nothing_is_one() {
        let flat = vec![Some(1); 1_000];
        let kept = thinned(&flat, 40);
        let gaps = kept.windows(2).map(|two| two[1] - two[0]);
        assert!(gaps.max() <= Some(1_000 / 36), "{kept:?}");
        assert_eq!(thinned(&vec![None; 1_000], 40).len(), 40);
        // Of several as high and as low, the first.
        let mut line = vec![Some(0); 1_000];
        (line[333], line[777]) = (Some(9), Some(9));
        (line[444], line[555]) = (Some(-9), Some(-9));
        let kept = thinned(&line, 6);
        assert!(kept.contains(&333) && kept.contains(&444), "{kept:?}");
    }
}
