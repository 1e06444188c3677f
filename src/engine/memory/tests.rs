use std::convert::Infallible;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::conformance::agreement::{Place, agrees};
use crate::conformance::store_calls;

/// The store that was opened last.
#[derive(Default)]
struct Last(Mutex<Arc<MemoryStore<Infallible>>>);

impl Last {
    fn store(&self) -> Arc<MemoryStore<Infallible>> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Place for Last {
    type Store = MemoryStore<Infallible>;

    async fn open(&self) -> Arc<Self::Store> {
        let store = Arc::new(MemoryStore::default());
        *self.0.lock().unwrap() = store.clone();
        store
    }

    fn turns(&self) -> BTreeMap<JobId, i64> {
        let store = self.store();
        let jobs = &store.lock().ledger.jobs;
        jobs.iter().map(|(id, row)| (*id, row.turn)).collect()
    }

    fn died(&self, engine: &str, death: Death) {
        self.store().lock().ledger.died(engine, death);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_agrees_with_the_model(calls in store_calls(70), group in 1_usize..6) {
        agrees(&Last::default(), &calls, group);
    }
}
