use proptest::prelude::*;
use serde_json::{Value, json};

use super::definition::matches;
use super::*;

const DAY: i64 = 24 * 60 * 60 * 1000;
const NOW: i64 = 1_700_000_000_000;

fn gate(rules: Value) -> Gate {
    let definition = json!({ "name": "g", "target": { "stage": "production" }, "rules": rules });
    let definition: GateDefinition = serde_json::from_value(definition).unwrap();
    definition.check().unwrap();
    Gate { version: 1, definition }
}

fn evidence() -> Evidence {
    Evidence {
        at: NOW,
        model: "m".to_owned(),
        version: 2,
        author: "ann".to_owned(),
        requesters: vec!["rob".to_owned()],
        tags: [("team".to_owned(), "risk".to_owned())].into(),
        commit: None,
        artifacts: None,
        card: None,
        decisions: Vec::new(),
        evaluations: Vec::new(),
        reports: Vec::new(),
        production: None,
        approvers: ["ann", "bob", "cyd"].map(|name| Approver { name: name.to_owned(), groups: Vec::new() }).into(),
        exception: None,
    }
}

fn approval(by: &str) -> Decision {
    Decision {
        by: by.to_owned(),
        groups: Vec::new(),
        kind: DecisionKind::Approve,
        reason: String::new(),
        at: NOW - DAY,
        expires_at: None,
        stale: false,
        artifacts_changed: false,
        left: Vec::new(),
        lapsed: None,
    }
}

fn evaluation(at: i64, auc: f64) -> Evaluation {
    Evaluation {
        source: "evaluation 1".to_owned(),
        dataset: "holdout".to_owned(),
        digest: "d1".to_owned(),
        at,
        by: "ann".to_owned(),
        metrics: [("auc".to_owned(), auc)].into(),
        slices: [("young".to_owned(), [("auc".to_owned(), auc - 0.2)].into())].into(),
        report: None,
        reports: Vec::new(),
        artifacts_changed: false,
    }
}

fn only(gate: &Gate, evidence: &Evidence) -> (bool, String) {
    let mut verdict = evaluate(gate, evidence);
    assert_eq!(verdict.outcome == Outcome::Passed, verdict.findings[0].passed);
    let finding = verdict.findings.remove(0);
    (finding.passed, finding.message)
}

#[test]
fn a_quorum_counts_people_who_are_neither_author_nor_asker() {
    let gate = gate(json!([{ "approvals": { "quorum": 2 } }]));
    let with = |decisions: Vec<Decision>| only(&gate, &Evidence { decisions, ..evidence() });
    assert!(with(vec![approval("bob"), approval("cyd")]).0);
    assert_eq!(
        with(vec![approval("bob"), approval("ann"), approval("rob"), approval("local-owner")]),
        (
            false,
            "1 of 2 approvals (bob), 1 missing, the approval of ann is the author's own, the approval of rob is of the \
             one who asks, the approval of local-owner was given without authentication, so that nobody can tell who it \
             was"
            .to_owned()
        )
    );
    assert!(!with(vec![approval("bob"), approval("bob")]).0);
    assert!(!with(vec![approval("bob"), Decision { stale: true, ..approval("cyd") }]).0);
    assert!(!with(vec![approval("bob"), Decision { expires_at: Some(NOW), ..approval("cyd") }]).0);
    let no = Decision { kind: DecisionKind::Reject, reason: "drifts".to_owned(), ..approval("dan") };
    assert_eq!(with(vec![approval("bob"), approval("cyd"), no]), (false, "dan rejected it: drifts".to_owned()));
}

#[test]
fn approvals_may_have_to_come_from_a_group_and_lately() {
    let gate = gate(json!([{ "approvals": { "quorum": 1, "group": "risk", "not_older_than_days": 7 } }]));
    let of = |groups: &[&str], at| {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        only(&gate, &Evidence { decisions: vec![Decision { groups, at, ..approval("bob") }], ..evidence() }).0
    };
    assert!(of(&["risk"], NOW - DAY));
    assert!(!of(&["ops"], NOW - DAY));
    assert!(!of(&["risk"], NOW - 8 * DAY));
    let verdict = evaluate(
        &gate,
        &Evidence {
            approvers: vec![Approver { name: "bob".to_owned(), groups: vec!["risk".to_owned()] }],
            ..evidence()
        },
    );
    assert_eq!(verdict.findings[0].could_approve, ["bob"]);
}

#[test]
fn an_approval_lapses_with_the_right_to_give_it() {
    let gate = gate(json!([{ "approvals": { "quorum": 1, "group": "risk" } }]));
    let approval = Decision { groups: vec!["risk".to_owned(), "ops".to_owned()], ..approval("bob") };
    let with = |decision: Decision| only(&gate, &Evidence { decisions: vec![decision], ..evidence() });
    assert!(with(Decision { left: vec!["ops".to_owned()], ..approval.clone() }).0, "the gate names another group");
    let left = with(Decision { left: vec!["risk".to_owned()], ..approval.clone() });
    assert!(left.1.contains("the approval of bob has lapsed: they have left the group since"), "{}", left.1);
    for (lapse, why) in [
        (Lapse::AccountDeleted, "the account was deleted"),
        (Lapse::AccountDisabled, "the account is disabled"),
        (Lapse::NotAllowed, "no role or rule would allow it now"),
        (Lapse::Forbidden(vec!["p/1".to_owned(), "p/2".to_owned()]), "it is forbidden by p/1, p/2 now"),
    ] {
        let (passed, message) = with(Decision { lapsed: Some(lapse.clone()), ..approval.clone() });
        assert!(!passed && message.contains(&format!("the approval of bob has lapsed: {why}")), "{message}");
        // Whoever says no need not be there any more.
        let no = Decision { kind: DecisionKind::Reject, lapsed: Some(lapse), ..approval.clone() };
        assert_eq!(with(no), (false, "bob rejected it".to_owned()));
    }
    // What was kept before says nothing of it and means what it did.
    let mut kept = json!(approval);
    assert!(kept.get("lapsed").is_none() && kept.get("left").is_none());
    kept["lapsed"] = json!(null);
    assert_eq!(serde_json::from_value::<Decision>(kept).unwrap(), approval);
}

#[test]
fn a_rejection_stands_whatever_is_asked_of_approvals() {
    let gate = gate(json!([{ "approvals": { "quorum": 1, "group": "risk", "not_older_than_days": 7 } }]));
    let approval = Decision { groups: vec!["risk".to_owned()], ..approval("bob") };
    let no = Decision { by: "dan".to_owned(), groups: Vec::new(), kind: DecisionKind::Reject, ..approval.clone() };
    let with = |no: Decision| only(&gate, &Evidence { decisions: vec![approval.clone(), no], ..evidence() });
    let refused = (false, "dan rejected it".to_owned());
    assert_eq!(with(no.clone()), refused, "of somebody outside of the group");
    let long_ago = NOW - 30 * DAY;
    assert_eq!(with(Decision { groups: approval.groups.clone(), at: long_ago, ..no.clone() }), refused, "of long ago");
    assert!(with(Decision { expires_at: Some(NOW), ..no.clone() }).0);
    assert!(with(Decision { stale: true, ..no.clone() }).0);
    assert!(with(Decision { artifacts_changed: true, ..no }).0);
}

#[test]
fn an_evaluation_is_recent_and_good_enough() {
    let thresholds = json!([
        { "metric": "auc", "at_least": 0.8 },
        { "metric": "auc", "slice": "young", "at_least": 0.6 },
        { "metric": "auc", "at_least_production_plus": 0.01 },
    ]);
    let rule = json!({ "digest": "d1", "not_older_than_days": 30, "thresholds": thresholds });
    let gate = gate(json!([{ "evaluation": rule }]));
    let with = |evaluations: Vec<Evaluation>| Evidence { evaluations, ..evidence() };
    assert!(only(&gate, &with(vec![evaluation(NOW - DAY, 0.9)])).0);
    // Only the newest counts.
    assert!(!only(&gate, &with(vec![evaluation(NOW - DAY, 0.7), evaluation(NOW - 2 * DAY, 0.9)])).0);
    assert!(!only(&gate, &with(vec![evaluation(NOW - 31 * DAY, 0.9)])).0);
    assert!(!only(&gate, &with(vec![evaluation(NOW + DAY, 0.9)])).0);
    let (_, message) = only(&gate, &with(vec![evaluation(NOW, 0.75)]));
    assert_eq!(
        message,
        "evaluation 1 on data set 'd1': auc is 0.75 and must be at least 0.8, auc of slice 'young' is 0.55 and must be \
         at least 0.6"
    );
    let mut against = with(vec![evaluation(NOW, 0.9)]);
    against.production = Some(Occupant {
        version: 1,
        standing: Standing::InProduction,
        evaluations: vec![evaluation(NOW - 90 * DAY, 0.895)],
    });
    assert!(!only(&gate, &against).0);
    against.production = Some(Occupant {
        version: 1,
        standing: Standing::InProduction,
        evaluations: vec![evaluation(NOW - 90 * DAY, 0.85)],
    });
    assert!(only(&gate, &against).0);
    against.production = Some(Occupant { version: 1, standing: Standing::InProduction, evaluations: Vec::new() });
    assert!(!only(&gate, &against).0);
}

#[test]
fn tags_cards_and_commits_are_looked_at() {
    let one = |rule: Value, change: fn(&mut Evidence)| {
        let mut evidence = evidence();
        change(&mut evidence);
        only(&gate(json!([rule])), &evidence).0
    };
    assert!(one(json!({ "tag": { "key": "team" } }), |_| ()));
    assert!(!one(json!({ "tag": { "key": "team", "value": "ops" } }), |_| ()));
    assert!(!one(json!({ "tag": { "key": "none" } }), |_| ()));
    assert!(!one(json!({ "model_card": {} }), |_| ()));
    assert!(one(json!({ "model_card": {} }), |e| e.card = Some(Card { status: "Approved".to_owned() })));
    assert!(!one(json!({ "model_card": {} }), |e| e.card = Some(Card { status: "Draft".to_owned() })));
    assert!(!one(json!({ "clean_commit": {} }), |_| ()));
    let with = |dirty| move |e: &mut Evidence| e.commit = Some(Commit { id: "c".to_owned(), dirty });
    let commit = |rule: Value, dirty| {
        let mut evidence = evidence();
        with(dirty)(&mut evidence);
        only(&gate(json!([rule])), &evidence).0
    };
    assert!(commit(json!({ "clean_commit": {} }), None));
    assert!(!commit(json!({ "clean_commit": {} }), Some(true)));
    assert!(!commit(json!({ "clean_commit": { "proven": true } }), None));
    assert!(commit(json!({ "clean_commit": { "proven": true } }), Some(false)));
}

#[test]
fn an_exception_excuses_until_its_time_and_is_told() {
    let gate = gate(json!([{ "tag": { "key": "none" } }]));
    let with = |until| {
        let exception = Exception { id: 1, by: "root".to_owned(), reason: "outage".to_owned(), until, lapsed: None };
        evaluate(&gate, &Evidence { exception: Some(exception), ..evidence() }).outcome
    };
    assert_eq!((with(NOW + 1), with(NOW)), (Outcome::Excused, Outcome::Failed));
}

#[test]
fn what_no_gate_can_be_is_refused() {
    let wrong = [
        json!({ "name": "g", "target": { "stage": "none" }, "rules": [{ "clean_commit": {} }] }),
        json!({ "name": "g", "target": { "alias": "production" }, "rules": [{ "clean_commit": {} }] }),
        json!({ "name": "g", "target": { "stage": "production" }, "rules": [] }),
        json!({ "name": "g g", "target": { "stage": "production" }, "rules": [{ "clean_commit": {} }] }),
        json!({ "name": "g", "target": { "stage": "production" }, "rules": [{ "clean_commit": { "x": 1 } }] }),
        json!({ "name": "g", "target": { "stage": "production" }, "rules": [{ "approvals": { "quorum": 0 } }] }),
        json!({ "name": "g", "target": { "stage": "production" }, "rules": [{ "else": {} }], "x": 1 }),
        json!({ "name": "g", "target": { "stage": "production" },
            "rules": [{ "evaluation": { "digest": "d", "thresholds": [{ "metric": "auc" }] } }] }),
    ];
    for definition in wrong {
        let read = serde_json::from_value::<GateDefinition>(definition.clone());
        assert!(read.is_err() || read.unwrap().check().is_err(), "{definition}");
    }
}

#[test]
fn targets_round_trip_through_their_text() {
    for target in [Target::APPROVAL, Target::Stage(GatedStage::Staging), Target::Alias("champion".to_owned())] {
        assert_eq!(Target::parse(&target.to_string()), Some(target));
    }
    assert_eq!(Target::parse("alias production"), None);
}

#[test]
fn patterns_match_whole_names() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("churn", "churn", true),
        ("churn", "churns", false),
        ("churn*", "churn-eu", true),
        ("*-eu", "churn-eu", true),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "acb", false),
        ("ab*ba", "aba", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

proptest! {
    /// A stored verdict is reached again from the evidence that is stored with it.
    #[test]
    fn a_verdict_is_reached_again_from_stored_evidence(
        auc in -1e3..1e3f64, bound in -1e3..1e3f64, age in -5i64..50, quorum in 1u32..4, people in 0usize..4, tagged: bool,
    ) {
        let rule = json!({ "digest": "d1", "not_older_than_days": 30,
            "thresholds": [{ "metric": "auc", "at_least": bound }, { "metric": "auc", "slice": "young", "at_most": bound }] });
        let gate = gate(json!([{ "approvals": { "quorum": quorum } }, { "evaluation": rule }, { "tag": { "key": "x" } }]));
        let mut evidence = evidence();
        evidence.decisions = ["ann", "bob", "cyd", "rob"][..people].iter().map(|name| approval(name)).collect();
        evidence.evaluations = vec![evaluation(NOW - age * DAY, auc)];
        if tagged {
            evidence.tags.insert("x".to_owned(), String::new());
        }
        let verdict = evaluate(&gate, &evidence);
        let stored: (Gate, Evidence) =
            serde_json::from_str(&serde_json::to_string(&(&gate, &evidence)).unwrap()).unwrap();
        prop_assert_eq!(&stored.1, &evidence);
        prop_assert_eq!(evaluate(&stored.0, &stored.1), verdict.clone());
        // An approval more never makes a gate fail that passed.
        evidence.decisions.push(approval("dan"));
        if verdict.outcome == Outcome::Passed {
            prop_assert_eq!(evaluate(&gate, &evidence).outcome, Outcome::Passed);
        }
    }
}
