//! How large everything in a database is, on a fresh database of each kind.

use std::sync::Arc;

use riftsync::model::records::PayloadKind;
use riftsync::riot::Packer;
use riftsync::store::Store;
use riftsync::store::sizes::DocumentSize;

use crate::data::{game, stores, write};
use crate::place::on_each_store;
use crate::recompress::{dictionary, gzip, put, repacked};

on_each_store! { tokio::test;
    documents_are_counted_by_kind_and_packing_and_tables_by_their_bytes,
}

async fn documents_are_counted_by_kind_and_packing_and_tables_by_their_bytes(
    store: Arc<dyn Store>,
) {
    assert_eq!(store.document_sizes().await.unwrap(), []);
    write(
        &*store,
        (1..=3).map(|n| vec![stores(&game(n, 14))]).collect(),
    )
    .await;
    for n in 1..=3 {
        put(&*store, n, gzip(n)).await;
    }
    let mut packer = Packer::new(9, dictionary(&*store).await).unwrap();
    let anew = repacked(1, &mut packer);
    let bytes = anew.now.body.len() as u64;
    assert_eq!(store.repack(vec![anew]).await.unwrap(), 1);
    let of = |repacked, documents, bytes| DocumentSize {
        kind: PayloadKind::Match.as_str().to_owned(),
        repacked,
        documents,
        bytes,
    };
    let as_they_came = (gzip(2).body.len() + gzip(3).body.len()) as u64;
    let sizes = store.document_sizes().await.unwrap();
    assert_eq!(sizes, [of(false, 2, as_they_came), of(true, 1, bytes)]);
    let tables = store.table_sizes().await.unwrap();
    assert!(
        tables.is_sorted_by(|one, next| one.bytes >= next.bytes),
        "{tables:?}"
    );
    for name in ["payloads", "matches", "jobs", "job_links"] {
        let table = tables.iter().find(|table| table.table == name);
        assert!(
            table.is_some_and(|table| table.bytes > 0),
            "{name}: {tables:?}"
        );
    }
    // Indexes are counted with their tables.
    assert!(
        !tables.iter().any(|table| table.table.contains("_by_")),
        "{tables:?}"
    );
}
