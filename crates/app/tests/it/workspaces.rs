//! Nothing crosses the border of a workspace: every read and change of the use cases, from one workspace, about what is in
//! others. And what becomes of things when their workspace is deleted.

use stele_app::{App, ArtifactRoot, Ctx, NewExperiment, NewModel, NewWorkspace, WorkspaceChange};
use stele_domain::id::Timestamp;
use stele_domain::identity::{Role, Scope};
use stele_domain::workspace::Removal;
use stele_domain::{ArtifactPath, Error, Kind};
use stele_testkit::{TestApp, apps};

use crate::visibility::{
    ATTEMPTS, Answers, Things, fill_in, lists, of_the_workspace, reads, reads_of_the_workspace, somebody,
};

const EVER: Timestamp = Timestamp(i64::MAX);

pub(crate) async fn workspace(test: &TestApp, name: &str) -> Ctx {
    test.app.enable_workspaces();
    let new = NewWorkspace { name: name.to_owned(), ..NewWorkspace::default() };
    test.app.workspace_create(&test.ctx, new).await.unwrap();
    test.app.enter(test.ctx.clone(), name).await.unwrap()
}

fn no_workspace<T: std::fmt::Debug>(answer: Result<T, Error>) -> bool {
    matches!(answer, Err(Error::NotFound { kind: Kind::Workspace, .. }))
}

/// All that can be read of things.
async fn everything(app: &App, ctx: &Ctx, of: &Things) -> Answers {
    let mut all = reads(app, ctx, of).await;
    all.extend(lists(app, ctx, std::slice::from_ref(of)).await);
    all.extend(reads_of_the_workspace(app, ctx, of).await);
    all
}

#[tokio::test]
async fn nothing_crosses_the_border_of_a_workspace() {
    for test in &apps().await {
        let app = &test.app;
        let (b, c) = (&workspace(test, "team-b").await, &workspace(test, "team-c").await);
        // Those that are not to be seen have the same names.
        let hidden = [fill_in(app, &test.ctx, "hidden").await, fill_in(app, c, "hidden").await];
        let seen = &fill_in(app, b, "seen").await;
        for (name, answer) in everything(app, b, seen).await {
            let answer = answer.unwrap_or_else(|error| panic!("{name}: {error} on {}", test.engine));
            assert!(!answer.contains("hidden"), "{name}: {answer} on {}", test.engine);
        }
        let before = [everything(app, &test.ctx, &hidden[0]).await, everything(app, c, &hidden[1]).await];
        for things in &hidden {
            for (name, answer) in reads(app, b, things).await {
                match answer {
                    Err(Error::NotFound { .. }) => {}
                    // A folder behind the server is one of the own area.
                    Ok(answer) => assert!(name == "artifact_list" && !answer.contains("hidden"), "{name}: {answer}"),
                    Err(error) => panic!("{name}: {error:?} on {}", test.engine),
                }
            }
            let both = [seen.clone(), things.clone()];
            for (name, answer) in lists(app, b, &both).await {
                let answer = answer.unwrap();
                assert!(answer.contains("seen") && !answer.contains("hidden"), "{name}: {answer} on {}", test.engine);
            }
            for (name, answer) in reads_of_the_workspace(app, b, things).await {
                assert!(!answer.as_ref().unwrap().contains("hidden"), "{name}: {answer:?} on {}", test.engine);
            }
            for (name, _, attempt) in ATTEMPTS {
                let answer = attempt(app, b, things).await;
                let own = answer.is_ok() && matches!(*name, "artifact_put" | "artifact_delete");
                assert!(own || matches!(answer, Err(Error::NotFound { .. })), "{name}: {answer:?} on {}", test.engine);
            }
            of_the_workspace(app, b, things).await;
        }
        let after = [everything(app, &test.ctx, &hidden[0]).await, everything(app, c, &hidden[1]).await];
        assert_eq!(after, before, "on {}", test.engine);
        for things in [("default", &test.ctx), ("team-c", c)] {
            let found = reads(app, things.1, seen).await;
            let leaked: Vec<_> = found.iter().filter(|(_, answer)| format!("{answer:?}").contains("seen-")).collect();
            // Refusals name what was asked for.
            assert!(leaked.iter().all(|(_, answer)| answer.is_err()), "{}: {leaked:?}", things.0);
        }
    }
}

#[tokio::test]
async fn files_of_another_workspace_are_out_of_reach_by_any_path() {
    for test in &apps().await {
        let app = &test.app;
        let (b, c) = (&workspace(test, "team-b").await, &workspace(test, "team-c").await);
        let in_c = &fill_in(app, c, "hidden").await;
        let in_default = &fill_in(app, &test.ctx, "hidden").await;
        let root = app.run_get(c, in_c.run.clone()).await.unwrap().info.artifact_uri;
        assert!(root.starts_with("mlflow-artifacts:/workspaces/team-c/"), "{root}");
        let path = |uri: &str| ArtifactPath::parse_file(uri.trim_start_matches("mlflow-artifacts:/")).unwrap();
        let file = path(&format!("{root}/{}", in_c.file));
        assert!(app.artifact_head(c, &ArtifactRoot::Server, &file).await.is_ok());
        for ctx in [b, &test.ctx] {
            for path in [file.clone(), path("workspaces/team-c"), path("workspaces")] {
                let answers = [
                    app.artifact_head(ctx, &ArtifactRoot::Server, &path).await.map(drop),
                    app.artifact_list(ctx, &ArtifactRoot::Server, &path).await.map(drop),
                    app.artifact_delete(ctx, &ArtifactRoot::Server, &path).await,
                ];
                for answer in answers {
                    assert!(matches!(answer, Err(Error::NotFound { .. })), "{path}: {answer:?}");
                }
            }
            // Nor does an experiment lie there that somebody makes.
            let new = |location: &str| NewExperiment {
                name: format!("at {location}"),
                artifact_location: Some(location.to_owned()),
                tags: Vec::new(),
            };
            for location in [root.as_str(), "mlflow-artifacts:/workspaces/team-c"] {
                assert!(app.experiment_create(ctx, new(location)).await.is_err(), "{location}");
            }
            let folder = format!("{}/workspaces/team-c", test.artifacts.path().display());
            assert!(app.experiment_create(ctx, new(&folder)).await.is_err(), "{folder}");
        }
        let own = app.experiment_create(
            b,
            NewExperiment {
                name: "as if".to_owned(),
                artifact_location: Some(format!("mlflow-artifacts:/{}", in_default.experiment)),
                tags: Vec::new(),
            },
        );
        let made = app.experiment_get(b, own.await.unwrap()).await.unwrap();
        let expected = format!("mlflow-artifacts:/workspaces/team-b/{}", in_default.experiment);
        assert_eq!(made.artifact_location, expected, "a place behind the server is one of the own area");
        assert!(app.artifact_delete(&test.ctx, &ArtifactRoot::Server, &ArtifactPath::root()).await.is_err());
        assert!(app.artifact_head(c, &ArtifactRoot::Server, &file).await.is_ok());
    }
}

#[tokio::test]
async fn roles_are_held_in_their_workspace_alone() {
    for test in &apps().await {
        let app = &test.app;
        let (b, _) = (&workspace(test, "team-b").await, workspace(test, "team-c").await);
        let things = &fill_in(app, b, "seen").await;
        fill_in(app, &test.ctx, "seen").await;
        let of_experiment = Scope::Experiment(things.experiment.to_string());
        for (scope, enters) in [
            (Scope::Organisation, ["team-b", "team-c"].as_slice()),
            (Scope::Workspace("team-b".to_owned()), &["team-b"]),
            (Scope::Workspace("default".to_owned()), &[]),
            (of_experiment, &["team-b"]),
            (Scope::model_in("team-b", &things.model), &["team-b"]),
            (Scope::model_in("default", &things.model), &[]),
        ] {
            let ann = somebody(test, &[(Role::Viewer, scope.clone())]);
            for name in ["team-b", "team-c", "team-d"] {
                let entered = app.enter(ann.clone(), name).await;
                match enters.contains(&name) {
                    true => assert_eq!(*entered.unwrap().workspace_name, *name, "{scope:?}"),
                    false => assert!(no_workspace(entered.map(|_| ())), "{scope:?} {name}"),
                }
                assert_eq!(app.workspace_get(&ann, name).await.is_ok(), enters.contains(&name), "{scope:?} {name}");
            }
            let listed = app.workspaces_list(&ann).await.unwrap();
            let listed: Vec<&str> = listed.iter().map(|workspace| workspace.name.as_str()).collect();
            assert_eq!(listed, [&["default"], enters].concat(), "{scope:?}");
            let new = NewWorkspace { name: "mine".to_owned(), ..NewWorkspace::default() };
            assert!(matches!(app.workspace_create(&ann, new).await, Err(Error::Forbidden { .. })), "{scope:?}");
            let gone = app.workspace_delete(&ann, "team-c".to_owned(), Removal::Cascade).await;
            assert!(matches!(gone, Err(Error::Forbidden { .. })), "{scope:?}");
        }
        let ann = somebody(test, &[(Role::Administrator, Scope::model_in("team-b", &things.model))]);
        let ann = app.enter(ann, "team-b").await.unwrap();
        assert!(app.model_get(&ann, things.model.clone()).await.is_ok());
        assert!(app.experiment_get(&ann, things.experiment).await.is_err());
    }
}

#[tokio::test]
async fn those_who_cannot_name_a_workspace_are_where_all_of_their_roles_are() {
    for test in &apps().await {
        let app = &test.app;
        let (b, c) = (Scope::Workspace("team-b".to_owned()), Scope::Workspace("team-c".to_owned()));
        let default = Scope::Workspace("default".to_owned());
        for name in ["team-b", "team-c"] {
            workspace(test, name).await;
        }
        for (scopes, home) in [
            (vec![], "default"),
            (vec![b.clone()], "team-b"),
            (vec![b.clone(), Scope::model_in("team-b", "m")], "team-b"),
            (vec![b.clone(), c.clone()], "default"),
            (vec![b.clone(), default.clone()], "default"),
            (vec![default, b.clone()], "default"),
            (vec![b.clone(), Scope::Organisation], "default"),
            (vec![b, Scope::model_in("default", "m")], "default"),
            (vec![c, Scope::Experiment("0".to_owned())], "team-c"),
        ] {
            let grants: Vec<(Role, Scope)> = scopes.iter().map(|scope| (Role::Viewer, scope.clone())).collect();
            let ctx = app.at_home(somebody(test, &grants)).await.unwrap();
            assert_eq!(*ctx.workspace_name, *home, "{scopes:?}");
            let number = app.account_number(&ctx, "999999999999");
            assert_eq!((number.len(), number == "999999999999"), (12, home == "default"), "{number}");
        }
    }
}

#[tokio::test]
async fn what_is_in_a_deleted_workspace_stays_moves_or_goes() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let delete = |name: &str, removal| app.workspace_delete(ctx, name.to_owned(), removal);
        let (b, c) = (&workspace(test, "team-b").await, &workspace(test, "team-c").await);
        let moved = &fill_in(app, b, "moved").await;
        let gone = &fill_in(app, c, "gone").await;
        let root = app.run_get(c, gone.run.clone()).await.unwrap().info.artifact_uri;
        for name in ["team-b", "team-c"] {
            assert!(matches!(delete(name, Removal::Restrict).await, Err(Error::Conflict { .. })), "{name}");
        }
        for name in ["default", "team-d", "No"] {
            assert!(delete(name, Removal::Cascade).await.is_err(), "{name}");
        }

        let taken = NewModel { name: moved.model.clone(), description: None, tags: Vec::new() };
        app.model_create(ctx, taken).await.unwrap();
        let refused = delete("team-b", Removal::SetDefault).await;
        assert!(matches!(&refused, Err(Error::Conflict { message }) if message.contains(&moved.model)), "{refused:?}");
        app.model_delete(ctx, moved.model.clone()).await.unwrap();
        delete("team-b", Removal::SetDefault).await.unwrap();
        for (name, answer) in reads(app, ctx, moved).await {
            // Files lie where they lay, which is not below the id of the experiment.
            let is_elsewhere = matches!(name, "artifact_head" | "artifact_list") && answer.is_err();
            assert!(is_elsewhere || answer.is_ok(), "{name}: {answer:?} on {}", test.engine);
        }
        assert!(app.artifact_head(ctx, &ArtifactRoot::Run(moved.run.clone()), &moved.file).await.is_ok());

        app.bucket_create(c, "bucket-of-c".to_owned()).await.unwrap();
        assert!(matches!(delete("team-c", Removal::Cascade).await, Err(Error::Conflict { .. })), "its bucket is there");
        app.bucket_delete(c, "bucket-of-c".to_owned()).await.unwrap();
        delete("team-c", Removal::Cascade).await.unwrap();
        assert!(no_workspace(app.enter(ctx.clone(), "team-c").await.map(|_| ())));
        let new = NewExperiment { name: "late".to_owned(), artifact_location: None, tags: Vec::new() };
        assert!(no_workspace(app.experiment_create(c, new).await), "a request under way makes nothing any more");
        for (name, answer) in everything(app, ctx, gone).await {
            assert!(answer.is_err() || !answer.unwrap().contains("gone-"), "{name} on {}", test.engine);
        }
        // A new workspace of the name has nothing of the old one, whose files may be there still.
        let again = &workspace(test, "team-c").await;
        for (name, answer) in everything(app, again, gone).await {
            assert!(answer.is_err() || !answer.unwrap().contains("gone-"), "{name} on {}", test.engine);
        }
        let file = format!("{}/{}", root.trim_start_matches("mlflow-artifacts:/"), gone.file);
        let file = ArtifactPath::parse_file(&file).unwrap();
        assert!(app.artifact_head(again, &ArtifactRoot::Server, &file).await.is_err());
        let kept = fill_in(app, again, "gone").await;

        let on_disk = test.artifacts.path().join(file.as_str());
        assert!(on_disk.is_file(), "{}", on_disk.display());
        let report = app.purge_everywhere(ctx, EVER, |_| ()).await.unwrap();
        assert_eq!((report.runs, report.logged_models, report.experiments), (1, 1, 1), "on {}", test.engine);
        assert!(!on_disk.is_file());
        assert!(app.artifact_head(again, &ArtifactRoot::Run(kept.run.clone()), &kept.file).await.is_ok());
    }
}

#[tokio::test]
async fn a_workspace_is_described_and_given_a_root_of_its_own() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        app.enable_workspaces();
        let create = |name: &str, root: &str| {
            let artifact_root = Some(root.to_owned());
            app.workspace_create(ctx, NewWorkspace { name: name.to_owned(), description: None, artifact_root })
        };
        create("team-b", "s3://bucket/b").await.unwrap();
        let taken = create("team-b", "").await;
        assert!(matches!(taken, Err(Error::AlreadyExists { kind: Kind::Workspace, .. })), "{taken:?}");
        for (name, root) in [
            ("default", ""),
            ("Team", ""),
            ("team-c", "s3://bucket/b/c"),
            ("team-c", "s3://bucket"),
            ("team-c", "mlflow-artifacts:/workspaces/team-b"),
            ("team-c", "/etc"),
        ] {
            assert!(create(name, root).await.is_err(), "{name} {root}");
        }
        assert!(no_workspace(app.workspace_get(ctx, "team-c").await), "what was refused is not there");
        let change = |description: Option<&str>, root: Option<&str>| WorkspaceChange {
            description: description.map(str::to_owned),
            artifact_root: root.map(str::to_owned),
        };
        let changed = app.workspace_update(ctx, "team-b".to_owned(), change(Some("ours"), None)).await.unwrap();
        assert_eq!(
            (changed.description.as_deref(), changed.artifact_root.as_deref()),
            (Some("ours"), Some("s3://bucket/b"))
        );
        let changed = app.workspace_update(ctx, "team-b".to_owned(), change(None, Some(""))).await.unwrap();
        assert_eq!((changed.description.as_deref(), changed.artifact_root), (Some("ours"), None));
        assert!(no_workspace(app.workspace_update(ctx, "team-x".to_owned(), change(Some("x"), None)).await));
    }
}

#[tokio::test]
async fn a_server_without_workspaces_answers_in_the_default_one_alone() {
    for test in &apps().await {
        assert!(test.app.enter(test.ctx.clone(), "default").await.is_ok());
        let refused = test.app.enter(test.ctx.clone(), "team-b").await;
        assert!(matches!(refused, Err(Error::Unsupported { .. })));
    }
}
