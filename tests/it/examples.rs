//! The examples do what they show.

#[allow(dead_code, reason = "its main is for people")]
#[path = "../../examples/own_kind.rs"]
mod own_kind;

#[actix::test]
async fn a_kind_of_ones_own_is_retried_and_completes() {
    let shown = own_kind::run().await.unwrap();
    assert_eq!(shown, r#"completed after 2 attempts: {"words":5}"#);
}

#[allow(dead_code, reason = "its main is for people")]
#[path = "../../examples/fuzz/main.rs"]
mod fuzz;

/// Some of the inputs that people run by the million, the same each time.
#[test]
fn hostile_inputs_of_every_kind_are_read_within_their_bounds() {
    let corpus = fuzz::Corpus::new(None);
    for target in fuzz::TARGETS {
        // What is quick without optimisation too, and what is not.
        let inputs = match target.name {
            "rows" | "settings" | "limits" => 30,
            "match" | "timeline" | "text" | "answer" => 200,
            _ => 400,
        };
        for seed in 1..=inputs {
            let end = std::panic::catch_unwind(|| fuzz::one(target, &corpus, seed));
            assert!(end.is_ok(), "{}: seed {seed}", target.name);
        }
    }
}
