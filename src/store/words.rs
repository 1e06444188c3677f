//! How a person does what an error of a database says is to be done.

use crate::engine::store::Words;

pub(super) static WORDS: Words = Words {
    who: "riftsync",
    database: "a riftsync database",
    version: "riftsync",
    program: "riftsync",
    engine: "riftsync engine",
    another_file: " with --database sqlite://PATH",
    address: "what --database or DATABASE_URL says",
    migrate: "Bring them up to date with `riftsync db migrate` (and the same --database, if one was typed), which keeps \
              everything; `riftsync sync` and `riftsync serve` do it too when they start",
    use_it: " and name it in --database or DATABASE_URL; `riftsync db copy --from ... --to ...` brings over what riftsync \
             stored in this one, if it did",
    anew: "move all three files away and sync again: everything that Riot still has is fetched anew",
    copy: " with `riftsync db copy --from ... --to ...` of the same two",
};
