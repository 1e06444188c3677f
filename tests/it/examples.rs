//! The examples do what they show.

#[allow(dead_code, reason = "its main is for people")]
#[path = "../../examples/own_kind.rs"]
mod own_kind;

#[actix::test]
async fn a_kind_of_ones_own_is_retried_and_completes() {
    let shown = own_kind::run().await.unwrap();
    assert_eq!(shown, r#"completed after 2 attempts: {"words":5}"#);
}
