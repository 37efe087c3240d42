//! Writes that come to nothing leave nothing in the audit log, and no gap in its chains.

use stele_domain::audit::ChainEnd;
use stele_domain::change::Change;
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Error, Kind, Result};
use stele_store::{Origin, Store, Tx};

fn entry(tx: &mut Tx, workspace: WorkspaceId, object: &str) -> Result<()> {
    let origin = Origin {
        workspace,
        principal: "somebody".to_owned(),
        script: "native",
        request_id: "r-1".to_owned(),
        address: None,
        at: Timestamp(1),
    };
    tx.change_record(&origin, &Change::quiet("run.log", Kind::Run, object), String::new).map(|_| ())
}

async fn ends(store: &Store) -> Vec<(i64, ChainEnd)> {
    store.read(|tx| tx.audit_ends()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_or_panics_after_its_entries_leaves_no_gap() {
    for database in stele_testkit::databases().await {
        let store = database.store.clone();
        let workspace = store.write(|tx| tx.bootstrap("mlflow-artifacts:/0", Timestamp(0))).await.unwrap();
        let before: i64 = ends(&store).await.iter().map(|(_, end)| end.seq).sum();
        for round in 0..20 {
            store
                .write(move |tx| {
                    entry(tx, workspace, "first")?;
                    entry(tx, workspace, "second")
                })
                .await
                .unwrap();
            let failed: Result<()> = store
                .write(move |tx| {
                    entry(tx, workspace, "half")?;
                    match round % 2 {
                        0 => Err(Error::invalid("on purpose")),
                        _ => panic!("on purpose"),
                    }
                })
                .await;
            failed.unwrap_err();
        }
        let (ends, extent) = (ends(&store).await, store.read(|tx| tx.audit_extent()).await.unwrap());
        assert_eq!(ends.iter().map(|(_, end)| end.seq).sum::<i64>(), before + 40, "{}", database.engine);
        let (entries, _) = store.read(move |tx| tx.audit_after(&extent, 0, 1_000)).await.unwrap();
        assert!(entries.iter().all(|entry| entry.object != "half"), "{}", database.engine);
        for (chain, end) in ends {
            let places: Vec<i64> = entries.iter().filter(|entry| entry.chain == chain).map(|entry| entry.seq).collect();
            assert_eq!(places, (1..=end.seq).collect::<Vec<_>>(), "{}: no gap in chain {chain}", database.engine);
        }
    }
}
