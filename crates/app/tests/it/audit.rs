use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use stele_app::{AuditFilter, AuditReport, NewModel, NewRun, closing_line, verify_export, write_line};
use stele_domain::audit::{AuditEntry, ChainEnd, Fault, Faulty, NO_HASH};
use stele_domain::authz::Principal;
use stele_domain::id::ExperimentId;
use stele_domain::identity::{Account, AccountKind};
use stele_domain::{Error, Kind};
use stele_testkit::{TestApp, apps};

async fn model(test: &TestApp, name: &str) -> Result<(), Error> {
    let new = NewModel { name: name.to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&test.ctx, new).await.map(|_| ())
}

async fn entries(test: &TestApp, filter: AuditFilter) -> Vec<AuditEntry> {
    test.app.audit_list(&test.ctx, filter, None, 1_000).await.unwrap().entries
}

async fn export(test: &TestApp) -> Vec<AuditEntry> {
    let pages = test.app.audit_export(&test.ctx).await.unwrap().pages;
    let pages: Vec<Vec<AuditEntry>> = pages.try_collect().await.unwrap();
    pages.concat()
}

fn lines(entries: &[AuditEntry], ends: &[(i64, ChainEnd)]) -> Vec<u8> {
    let mut out = Vec::new();
    entries.iter().for_each(|entry| write_line(entry, &mut out).unwrap());
    out.extend(closing_line(ends));
    out
}

async fn verified(test: &TestApp) -> AuditReport {
    test.app.audit_verify(&test.ctx, Vec::new(), |_| ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_and_failures_leave_whole_chains() {
    for test in apps().await {
        let app = &test.app;
        let writers = (0..40).map(|number| {
            let (app, ctx) = (app.clone(), test.ctx.clone());
            tokio::spawn(async move {
                for turn in 0..5 {
                    // Every second one fails after it has written, since the name is taken.
                    let name = format!("m{}", if turn % 2 == 0 { number * 10 + turn } else { 0 });
                    let new = NewModel { name, description: None, tags: Vec::new() };
                    let _ = app.model_create(&ctx, new).await;
                }
            })
        });
        futures::future::join_all(writers.collect::<Vec<_>>()).await;
        let report = verified(&test).await;
        assert_eq!(report.faults, [], "{}", test.engine);
        assert_eq!(report.entries, 120, "{}", test.engine);
        let all = export(&test).await;
        let offline = verify_export(&lines(&all, &report.ends)[..], &report.ends, |_| ()).unwrap();
        assert_eq!(offline, report, "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_touched_is_told_apart() {
    for test in apps().await {
        for name in ["a", "b", "c"] {
            model(&test, name).await.unwrap();
        }
        let ends = verified(&test).await.ends;
        let honest = export(&test).await;
        let faults = |entries: &[AuditEntry]| verify_export(&lines(entries, &ends)[..], &[], |_| ()).unwrap().faults;
        assert_eq!(faults(&honest), []);
        let mut changed = honest.clone();
        changed[1].after = Some("{\"description\": \"{\"}".to_owned());
        assert_eq!(faults(&changed).len(), 1);
        let mut shorter = honest.clone();
        shorter.pop();
        assert!(matches!(faults(&shorter)[0].fault, Fault::CutOff), "{}", test.engine);
        let mut inserted = honest.clone();
        inserted.push(AuditEntry { id: 99, chain: -1, seq: 0, hash: NO_HASH, ..honest[0].clone() });
        assert!(matches!(faults(&inserted)[0].fault, Fault::Unchained { id: 99 }));
        // The end of the file may be missing as well.
        let whole = lines(&honest, &ends);
        let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        for cut in [&whole[..last], &b""[..], &[&whole[..], &whole[..last]].concat()] {
            assert!(verify_export(cut, &[], |_| ()).is_err(), "{}", test.engine);
        }
        assert!(verify_export(&b"{}\n"[..], &[], |_| ()).is_err());
        assert!(verify_export(&b"\xff\n"[..], &[], |_| ()).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_written_once_and_tells_of_what_is_cut_off() {
    for test in apps().await {
        model(&test, "a").await.unwrap();
        test.app.audit_checkpoint().await.unwrap();
        test.app.audit_checkpoint().await.unwrap();
        let checkpoints = AuditFilter { action: Some("audit.checkpoint".to_owned()), ..AuditFilter::default() };
        assert_eq!(entries(&test, checkpoints).await.len(), 1, "{}", test.engine);
        assert_eq!(verified(&test).await.faults, []);
        // As if the model's entry had been on another chain that was cut off.
        let (mut moved, ends) = (export(&test).await, verified(&test).await.ends);
        moved.remove(0);
        let faults = verify_export(&lines(&moved, &ends)[..], &[], |_| ()).unwrap().faults;
        assert_eq!(faults.len(), 1, "{}: {faults:?}", test.engine);
    }
}

/// Whoever writes a chain anew from some entry on has to write anew what checkpoints say of it, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_written_anew_contradicts_its_checkpoints() {
    for test in apps().await {
        model(&test, "a").await.unwrap();
        test.app.audit_checkpoint().await.unwrap();
        for name in ["b", "c"] {
            model(&test, name).await.unwrap();
        }
        let mut forged = export(&test).await;
        let touched = forged.iter().position(|entry| entry.object == "a").unwrap();
        forged[touched].principal = "mallory".to_owned();
        let (chain, seq) = (forged[touched].chain, forged[touched].seq);
        let (mut ends, mut before) = (BTreeMap::new(), BTreeMap::new());
        for entry in &mut forged {
            let before = before.entry(entry.chain).or_insert(NO_HASH);
            if entry.chain == chain && entry.seq >= seq {
                entry.hash = entry.statement().hash(before, &mut Vec::new());
            }
            *before = entry.hash;
            ends.insert(entry.chain, ChainEnd { seq: entry.seq, hash: entry.hash });
        }
        let ends: Vec<(i64, ChainEnd)> = ends.into_iter().collect();
        let faults = verify_export(&lines(&forged, &ends)[..], &[], |_| ()).unwrap().faults;
        assert_eq!(faults, [Faulty { chain, seq, fault: Fault::Replaced }], "{}", test.engine);
    }
}

/// A file that lost its last line break says all the same; what is no field of an entry is not said by the log.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_told_from_what_was_added_to_it() {
    let test = &apps().await[0];
    model(test, "a").await.unwrap();
    let (honest, ends) = (export(test).await, verified(test).await.ends);
    let whole = lines(&honest, &ends);
    assert_eq!(verify_export(&whole[..whole.len() - 1], &[], |_| ()).unwrap().faults, []);
    let text = String::from_utf8(whole).unwrap();
    let added = text.replacen(r#"{"id""#, r#"{"approved_by":"ann","id""#, 1);
    let refused = verify_export(added.as_bytes(), &[], |_| ()).unwrap_err().to_string();
    assert!(refused.contains("line 1 cannot be read") && refused.contains("approved_by"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_found_by_what_they_say_page_by_page() {
    for test in apps().await {
        for name in ["a", "b", "c"] {
            test.clock.advance(1_000);
            model(&test, name).await.unwrap();
        }
        let new = NewRun {
            experiment: ExperimentId(0),
            parent: None,
            name: "r".to_owned(),
            user: "ada".to_owned(),
            started_at: None,
            tags: Vec::new(),
        };
        test.app.run_create(&test.ctx, new).await.unwrap();
        let by = |filter: AuditFilter| entries(&test, filter);
        let of_models = by(AuditFilter { action: Some("model.".to_owned()), ..AuditFilter::default() }).await;
        assert_eq!(of_models.iter().map(|entry| entry.object.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert!(of_models.iter().all(|entry| entry.subject.is_some() && entry.after.is_some()));
        let since =
            AuditFilter { since: Some(of_models[1].at), until: Some(of_models[0].at), ..AuditFilter::default() };
        assert_eq!(by(since).await.iter().map(|entry| entry.object.as_str()).collect::<Vec<_>>(), ["b"]);
        let of_kind = AuditFilter { kind: Some("run".to_owned()), ..AuditFilter::default() };
        assert_eq!(by(of_kind).await.len(), 1);
        let none = AuditFilter { principal: Some("nobody".to_owned()), ..AuditFilter::default() };
        assert_eq!(by(none).await, []);
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let page = test.app.audit_list(&test.ctx, AuditFilter::default(), before, 3).await.unwrap();
            pages.push(page.entries.len());
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(pages, [3, 1], "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_an_entry_and_says_where_it_came_from() {
    for test in apps().await {
        let nobody = Account::new("mallory", AccountKind::User, Vec::new(), Vec::new());
        let address = "192.0.2.7".parse().unwrap();
        let ctx = stele_app::coming_from(Some(address), async {
            test.app.context_of(Principal::Account(Arc::new(nobody)), stele_app::Script::Mlflow, "r1")
        })
        .await;
        let new = NewModel { name: "m".to_owned(), description: None, tags: Vec::new() };
        assert!(test.app.model_create(&ctx, new).await.is_err());
        let denials = AuditFilter { outcome: Some("denied".to_owned()), ..AuditFilter::default() };
        let [denial] = &entries(&test, denials).await[..] else { panic!("one denial") };
        assert_eq!(
            (denial.principal.as_str(), denial.kind.as_str(), denial.object.as_str(), denial.address.as_deref()),
            ("mallory", Kind::Model.as_str(), "m", Some("192.0.2.7")),
            "{}",
            test.engine
        );
        assert!(test.app.audit_list(&ctx, AuditFilter::default(), None, 10).await.is_err());
        assert_eq!(verified(&test).await.faults, []);
    }
}
