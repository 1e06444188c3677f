//! A list that comes in pages: each entry once, and an end whatever the API gives. Pure.

use std::collections::HashSet;
use std::hash::Hash;

/// Pages in a row of which nothing could be read.
const UNREADABLE_MAX: u32 = 2;

/// What was listed so far.
#[derive(Debug)]
pub(super) struct Paging<T> {
    listed: Vec<T>,
    seen: HashSet<T>,
    unreadable: u32,
}

/// What a page means for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is asked for: a short page is not the end.
    More,
    /// This one was empty: there is none.
    Ended,
    /// This one had nothing new: whatever page is asked for, it would be the same.
    Repeats,
}

impl<T: Clone + Eq + Hash> Paging<T> {
    pub(super) fn new() -> Self {
        Self {
            listed: Vec::new(),
            seen: HashSet::new(),
            unreadable: 0,
        }
    }

    /// Takes a page. `odd`: entries of it that could not be read.
    pub(super) fn take(&mut self, page: Vec<T>, odd: usize) -> Next {
        if page.is_empty() && odd == 0 {
            return Next::Ended;
        }
        let before = self.listed.len();
        let seen = &mut self.seen;
        self.listed
            .extend(page.into_iter().filter(|one| seen.insert(one.clone())));
        if self.listed.len() > before {
            self.unreadable = 0;
            return Next::More;
        }
        // Of what cannot be read nobody knows whether it is new.
        self.unreadable += 1;
        if odd > 0 && self.unreadable < UNREADABLE_MAX {
            Next::More
        } else {
            Next::Repeats
        }
    }

    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    pub(super) fn into_listed(self) -> Vec<T> {
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes pages until there is no next one; what was listed, how many pages were taken, and why it ended.
    fn list(pages: &[(&[u32], usize)]) -> (Vec<u32>, usize, Next) {
        let mut paging = Paging::new();
        for (n, (page, odd)) in pages.iter().enumerate() {
            let next = paging.take(page.to_vec(), *odd);
            if next != Next::More {
                return (paging.into_listed(), n + 1, next);
            }
        }
        panic!("it goes on behind the pages of the test")
    }

    #[test]
    fn a_list_ends_at_an_empty_page_and_not_at_a_short_one() {
        let ended = list(&[(&[5, 4], 0), (&[3], 0), (&[2, 1], 0), (&[], 0)]);
        assert_eq!(ended, (vec![5, 4, 3, 2, 1], 4, Next::Ended));
        assert_eq!(list(&[(&[], 0)]), (vec![], 1, Next::Ended));
    }

    #[test]
    fn pages_that_overlap_go_on_as_long_as_they_bring_something() {
        let pages: [(&[u32], usize); 4] =
            [(&[5, 4, 3], 0), (&[4, 3, 2], 0), (&[2, 1], 0), (&[], 0)];
        assert_eq!(list(&pages), (vec![5, 4, 3, 2, 1], 4, Next::Ended));
    }

    #[test]
    fn a_page_without_anything_new_ends_the_list() {
        // The API gives the same page whatever is asked for.
        let same: &[(&[u32], usize)] = &[(&[7], 0), (&[7], 0)];
        assert_eq!(list(same), (vec![7], 2, Next::Repeats));
        // It turns in a circle.
        let circle: &[(&[u32], usize)] = &[(&[3, 2], 0), (&[1, 0], 0), (&[3, 2], 0)];
        assert_eq!(list(circle), (vec![3, 2, 1, 0], 3, Next::Repeats));
        // The last page comes again and again.
        let last: &[(&[u32], usize)] = &[(&[3, 2], 0), (&[2, 1], 0), (&[2, 1], 0)];
        assert_eq!(list(last), (vec![3, 2, 1], 3, Next::Repeats));
        // The same with an entry that cannot be read.
        let odd: &[(&[u32], usize)] = &[(&[7], 1), (&[7], 1), (&[7], 1)];
        assert_eq!(list(odd), (vec![7], 3, Next::Repeats));
    }

    #[test]
    fn one_page_that_cannot_be_read_does_not_hide_those_behind_it() {
        let pages: &[(&[u32], usize)] = &[
            (&[3, 2], 0),
            (&[], 2),
            (&[1], 1),
            (&[], 1),
            (&[0], 0),
            (&[], 0),
        ];
        assert_eq!(list(pages), (vec![3, 2, 1, 0], 6, Next::Ended));
        let never: &[(&[u32], usize)] = &[(&[], 5), (&[], 5)];
        assert_eq!(list(never), (vec![], 2, Next::Repeats));
    }
}
