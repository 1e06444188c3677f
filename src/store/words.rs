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
    copy: "riftsync db copy",
    retry: "riftsync job retry",
    cancel: "riftsync job cancel",
    health: "riftsync health",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::attempt::cancelled_on_request;
    use crate::basics::words::say;
    use crate::model::JobId;

    #[test]
    fn what_is_said_of_a_job_names_the_command_to_type() {
        say(Some(&WORDS));
        let remedy = cancelled_on_request().remedy;
        let expected = "run it again with `riftsync job retry`";
        assert_eq!(remedy.as_deref(), Some(expected));
        assert_eq!(
            WORDS.with_cancel_of(JobId(7)),
            " with `riftsync job cancel 7`"
        );
        assert_eq!(
            WORDS.to_finish("/a.db", "postgres://h/b"),
            " with `riftsync db copy --from \"/a.db\" --to \"postgres://h/b\"`"
        );
        let hidden = WORDS.to_finish("/a.db", "postgres://u:***@h/b");
        assert!(hidden.contains("of the same two"), "{hidden}");
        assert_eq!(WORDS.health_tells_more(), "; `riftsync health` tells more");
    }
}
