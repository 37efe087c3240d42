//! Loading the parts of a source into the record.

use std::collections::{HashMap, HashSet};

use stele_app::{App, Ctx, LoadedExperiment, LoadedInto, LoadedLoggedModel, LoadedModel, LoadedRun, LoadedVersion};
use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::id::{ExperimentId, LoggedModelId, RunId};
use stele_domain::lifecycle::{Presence, Stage};
use stele_domain::record::Tag;
use stele_domain::registry::{ModelAlias, stage_of_alias};
use stele_domain::webhook::Subscription;
use stele_domain::{Error, Result};
use tokio::sync::mpsc;

use super::artifacts::ArtifactCopier;
use super::evaluation::OpenDataset;
use super::report::{ImportReport, Tally};
use super::review::Reviews;
use super::sink::{Item, SourceModel, SourceRun, SourceVersion};
use super::{ImportOptions, Source};
use crate::Progress;
use crate::mlflow::{DELETED_STAGE, PARENT_RUN_TAG, PROMPT_SOURCE, RUN_NAME_TAG, stage};

pub(super) struct Loader {
    pub(super) app: App,
    pub(super) ctx: Ctx,
    pub(super) artifacts: ArtifactCopier,
    pub(super) report: ImportReport,
    pub(super) not_taken: Tally,
    pub(super) subscription: Option<fn(&str) -> Option<Subscription>>,
    /// The experiments of the source.
    experiments: HashMap<ExperimentId, Here>,
    /// The evaluation dataset whose records are coming.
    pub(super) dataset: Option<OpenDataset>,
    pub(super) reviews: Reviews,
}

/// An experiment of the source as it is here.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) id: ExperimentId,
    pub(super) presence: Presence,
    pub(super) artifact_location: String,
}

const NUL: &str = "a text in it contains a NUL character, which PostgreSQL cannot keep";

impl Loader {
    pub(super) fn new(app: &App, ctx: &Ctx, source: &Source, options: &ImportOptions, shown: String) -> Result<Loader> {
        Ok(Loader {
            app: app.clone(),
            ctx: ctx.clone(),
            artifacts: ArtifactCopier::new(app, ctx, source, options)?,
            report: ImportReport { source: shown, ..ImportReport::default() },
            not_taken: Tally::default(),
            subscription: options.subscription,
            experiments: HashMap::new(),
            dataset: None,
            reviews: Reviews::default(),
        })
    }

    pub(super) fn into_report(self) -> ImportReport {
        ImportReport { artifacts: self.artifacts.report(), not_taken: self.not_taken.not_taken(), ..self.report }
    }

    pub(super) async fn run(
        &mut self,
        mut inbox: mpsc::Receiver<Item>,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<()> {
        while let Some(item) = inbox.recv().await {
            match item {
                Item::Total(runs) => progress(Progress::Total(runs)),
                Item::Experiment(experiment) => {
                    progress(Progress::Doing(format!("experiment {}", experiment.name)));
                    self.experiment(experiment).await?;
                }
                Item::LoggedModels { experiment, models } => self.logged_models(experiment, models).await?,
                Item::Runs { experiment, runs } => {
                    let count = runs.len() as u64;
                    self.runs(experiment, runs).await?;
                    progress(Progress::Runs(count));
                }
                Item::Known(runs) => {
                    self.report.known.runs += runs;
                    progress(Progress::Runs(runs));
                }
                Item::Points { run, key, points } => self.points(run, key, points).await?,
                Item::Traces { experiment, traces } => self.traces(experiment, traces).await?,
                Item::KnownTraces(traces) => self.report.known.traces += traces,
                Item::Scorers { experiment, scorers } => self.scorers(experiment, scorers).await?,
                Item::EvaluationDataset { dataset, experiments } => {
                    progress(Progress::Doing(format!("evaluation dataset {}", dataset.name)));
                    self.evaluation_dataset(*dataset, experiments).await?;
                }
                Item::EvaluationRecords(records) => self.evaluation_records(records).await?,
                Item::EvaluationDatasetEnds => self.evaluation_dataset_ends().await?,
                Item::Issues { experiment, issues } => self.issues(experiment, issues).await?,
                Item::LabelSchemas { experiment, schemas } => self.label_schemas(experiment, schemas).await?,
                Item::ReviewQueue(queue) => self.review_queue(*queue).await?,
                Item::ReviewItems(items) => self.review_items(items).await?,
                Item::Webhook(webhook) => self.webhook(webhook).await?,
                Item::Model(model) => {
                    progress(Progress::Doing(format!("model {}", model.name)));
                    self.model(model).await?;
                }
                Item::NotTaken { what, why, count, example } => self.not_taken.add(&what, &why, count, example),
            }
        }
        Ok(())
    }

    /// Nests the runs whose parents came after them, also those of a load that was killed.
    pub(super) async fn link_parents(&self) -> Result<()> {
        self.app.run_parents_link(&self.ctx, PARENT_RUN_TAG).await.map(|_| ())
    }

    async fn experiment(&mut self, mut new: LoadedExperiment) -> Result<()> {
        let (from, presence) = (new.id, new.presence);
        if has_nul([&new.name, &new.artifact_location]) || tags_have_nul(&new.tags) {
            self.not_taken.add("experiments", NUL, 1, Some(from.to_string()));
            return Ok(());
        }
        if self.artifacts.comes_here(&new.artifact_location) {
            new.artifact_location = String::new();
        }
        let name = new.name.clone();
        let LoadedInto { id, is_new } = self.app.experiment_load(&self.ctx, new).await?;
        if is_new {
            self.report.taken.experiments += 1;
        } else {
            self.report.known.experiments += 1;
        }
        if id != from {
            let why = "another experiment has the id, or the name is known under another one";
            self.not_taken.add("ids of experiments", why, 1, Some(format!("{name}: {from} is {id} here")));
        }
        // One that was here before may be in use.
        let known = self.app.experiment_get(&self.ctx, id).await?;
        let presence = if is_new { presence } else { known.presence };
        self.experiments.insert(from, Here { id, presence, artifact_location: known.artifact_location });
        Ok(())
    }

    pub(super) fn here(&self, experiment: ExperimentId) -> Result<Here> {
        self.experiments
            .get(&experiment)
            .cloned()
            .ok_or_else(|| Error::internal(format!("experiment {experiment} did not come before what is in it")))
    }

    async fn logged_models(&mut self, experiment: ExperimentId, models: Vec<LoadedLoggedModel>) -> Result<()> {
        let Ok(Here { id: here, .. }) = self.here(experiment) else { return Ok(()) };
        let mut new = Vec::with_capacity(models.len());
        for mut model in models {
            match self.app.logged_model_get_any(&self.ctx, model.id.clone()).await {
                Ok(_) => {
                    self.report.known.logged_models += 1;
                    continue;
                }
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            let texts = [Some(&model.name), Some(&model.artifact_uri), model.status_message.as_ref()];
            let params = model.params.iter().any(|param| has_nul([&param.key, &param.value]));
            if has_nul(texts.into_iter().flatten()) || tags_have_nul(&model.tags) || params {
                self.not_taken.add("logged models", NUL, 1, Some(model.id.to_string()));
                continue;
            }
            let place = format!("{here}/models/{}/artifacts", model.id);
            model.artifact_uri = self.artifacts.bring(&model.artifact_uri, &place).await?;
            new.push(model);
        }
        if !new.is_empty() {
            self.report.taken.logged_models += self.app.logged_models_load(&self.ctx, here, new).await? as u64;
        }
        Ok(())
    }

    async fn runs(&mut self, experiment: ExperimentId, runs: Vec<SourceRun>) -> Result<()> {
        let Ok(Here { id: here, presence, .. }) = self.here(experiment) else { return Ok(()) };
        let ids = runs.iter().map(|run| run.id.clone()).collect();
        let known = self.app.runs_known(&self.ctx, ids).await?;
        self.report.known.runs += known.len() as u64;
        let mut new = Vec::with_capacity(runs.len());
        for run in runs.into_iter().filter(|run| !known.contains(&run.id)) {
            let mut run = with_meaning(run);
            if run_has_nul(&run) {
                self.not_taken.add("runs", NUL, 1, Some(run.id.to_string()));
                continue;
            }
            if presence == Presence::Deleted && run.presence == Presence::Active {
                let why = "their experiment is in the trash, and so are they here";
                self.not_taken.add("active runs", why, 1, Some(run.id.to_string()));
                run.presence = Presence::Deleted;
            }
            let place = format!("{here}/{}/artifacts", run.id);
            if let Some(uri) = &run.artifact_uri {
                run.artifact_uri = Some(self.artifacts.bring(uri, &place).await?);
            }
            new.push(run);
        }
        if new.is_empty() {
            return Ok(());
        }
        let datasets: usize = new.iter().map(|run| run.lineage.datasets.len()).sum();
        let loaded = self.app.runs_load(&self.ctx, here, new).await?;
        let taken = &mut self.report.taken;
        taken.runs += loaded.runs as u64;
        taken.params += loaded.params as u64;
        taken.tags += loaded.tags as u64;
        taken.metrics += loaded.metrics as u64;
        taken.points += loaded.points as u64;
        taken.dataset_inputs += datasets as u64;
        Ok(())
    }

    async fn points(&mut self, run: RunId, key: String, points: Vec<stele_domain::Point>) -> Result<()> {
        match self.app.run_points_load(&self.ctx, run, key, points).await {
            Ok(new) => {
                self.report.taken.points += new as u64;
                Ok(())
            }
            // The run could not be taken, which was told.
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn model(&mut self, model: SourceModel) -> Result<()> {
        let SourceModel { name, description, created_at, updated_at, tags, aliases, versions } = model;
        let texts = versions.iter().any(|version| {
            let texts = [version.description.as_ref(), version.user.as_ref(), Some(&version.source)];
            has_nul(texts.into_iter().flatten()) || tags_have_nul(&version.tags)
        });
        if texts || has_nul([&name].into_iter().chain(description.as_ref())) || tags_have_nul(&tags) {
            self.not_taken.add("registered models", NUL, 1, Some(name));
            return Ok(());
        }
        let last_number = versions.iter().map(|version| version.number).max().unwrap_or_default();
        let mut loaded = Vec::with_capacity(versions.len());
        for version in versions.into_iter().filter(|version| version.stage != DELETED_STAGE) {
            if !matches!(version.status.as_str(), "" | "READY") {
                let why = "a version here is ready when it is made";
                let example = format!("{name}/{}: {}", version.number, version.status);
                self.not_taken.add("states of model versions", why, 1, Some(example));
            }
            loaded.push(self.version(version).await?);
        }
        self.one_in_production(&name, &mut loaded);
        let aliases = self.aliases(&name, aliases, &mut loaded);
        let count = loaded.len() as u64;
        let model = LoadedModel { name, description, created_at, updated_at, tags, aliases, last_number };
        if self.app.model_load(&self.ctx, model, loaded).await? {
            self.report.taken.models += 1;
            self.report.taken.model_versions += count;
        } else {
            self.report.known.models += 1;
        }
        Ok(())
    }

    async fn version(&mut self, version: SourceVersion) -> Result<LoadedVersion> {
        let source = self.place_here(&version.source, version.run.as_deref()).await?;
        let storage_uri = match &version.storage_uri {
            Some(uri) => self.place_here(uri, version.run.as_deref()).await?,
            None => source.clone(),
        };
        let logged_model = version.source.strip_prefix("models:/").filter(|rest| rest.starts_with("m-"));
        Ok(LoadedVersion {
            number: version.number,
            description: version.description,
            user: version.user,
            stage: stage(&version.stage),
            logged_model: logged_model.map(|id| LoggedModelId(id.to_owned())),
            source,
            storage_uri,
            run: version.run.filter(|run| !run.is_empty()).map(RunId),
            run_link: version.run_link,
            created_at: version.created_at,
            updated_at: version.updated_at,
            tags: version.tags,
        })
    }

    /// Where the files of a version are now, if they came with a run or a logged model.
    async fn place_here(&mut self, uri: &str, run: Option<&str>) -> Result<String> {
        if uri == PROMPT_SOURCE || !self.artifacts.comes_here(uri) {
            return Ok(uri.to_owned());
        }
        if let Some(run) = run.filter(|run| !run.is_empty())
            && let Some(rest) = below(uri, &format!("/{run}/artifacts"))
        {
            return match self.app.run_get(&self.ctx, RunId(run.to_owned())).await {
                Ok(run) => append_to_uri_path(&run.info.artifact_uri, rest),
                Err(Error::NotFound { .. }) => Ok(uri.to_owned()),
                Err(error) => Err(error),
            };
        }
        if let Some((_, from)) = uri.rsplit_once("/models/m-")
            && let Some((id, rest)) = from.split_once("/artifacts")
        {
            return match self.app.logged_model_get_any(&self.ctx, LoggedModelId(format!("m-{id}"))).await {
                Ok(model) => append_to_uri_path(&model.artifact_uri, rest.trim_start_matches('/')),
                Err(Error::NotFound { .. }) => Ok(uri.to_owned()),
                Err(error) => Err(error),
            };
        }
        let why = "it belongs to no run or logged model of the source, and stays where it is";
        self.not_taken.add("files of model versions", why, 1, Some(uri.to_owned()));
        Ok(uri.to_owned())
    }

    /// MLflow lets any number of versions be in production; here the newest stays there.
    fn one_in_production(&mut self, name: &str, versions: &mut [LoadedVersion]) {
        let newest = versions.iter().filter(|version| version.stage == Stage::Production).map(|v| v.number).max();
        for version in versions.iter_mut().filter(|version| version.stage == Stage::Production) {
            if Some(version.number) != newest {
                version.stage = Stage::Archived;
                let why = "a model has one version in production at a time; older ones are archived";
                let example = format!("{name}/{}", version.number);
                self.not_taken.add("versions in production", why, 1, Some(example));
            }
        }
    }

    /// The aliases that can stay. One that means a stage is that stage here.
    fn aliases(&mut self, name: &str, aliases: Vec<ModelAlias>, versions: &mut [LoadedVersion]) -> Vec<ModelAlias> {
        let mut kept = Vec::with_capacity(aliases.len());
        let mut seen = HashSet::new();
        for alias in aliases.into_iter().filter(|alias| seen.insert(alias.alias.clone())) {
            let Some(stage) = stage_of_alias(&alias.alias) else {
                kept.push(alias);
                continue;
            };
            let in_stage = versions.iter().filter(|version| version.stage == stage).map(|v| v.number).max();
            let target = versions.iter_mut().find(|version| version.number == alias.version);
            match (in_stage, target) {
                (Some(newest), _) if newest == alias.version => {}
                (None, Some(version)) if version.stage == Stage::None => {
                    version.stage = stage;
                    let why = "the name means a stage here, which the version is in now";
                    self.not_taken.add("aliases", why, 1, Some(format!("{name}@{}", alias.alias)));
                }
                _ => {
                    let why = "the name means a stage here, and another version is in that stage";
                    self.not_taken.add("aliases", why, 1, Some(format!("{name}@{}", alias.alias)));
                }
            }
        }
        kept
    }
}

/// Takes the name and the parent of a run out of its tags.
fn with_meaning(mut run: LoadedRun) -> LoadedRun {
    if let Some(position) = run.tags.iter().position(|tag| tag.key == RUN_NAME_TAG) {
        let tag = run.tags.swap_remove(position);
        if run.name.is_empty() {
            run.name = tag.value;
        }
    }
    let parent = run.tags.iter().find(|tag| tag.key == PARENT_RUN_TAG);
    run.parent = parent.map(|tag| RunId(tag.value.clone())).filter(|parent| *parent != run.id);
    run
}

/// What comes after `middle`, if that is a whole part of the path.
fn below<'u>(uri: &'u str, middle: &str) -> Option<&'u str> {
    let (_, rest) = uri.split_once(middle)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn has_nul<'t>(texts: impl IntoIterator<Item = &'t String>) -> bool {
    texts.into_iter().any(|text| text.contains('\0'))
}

fn tags_have_nul(tags: &[Tag]) -> bool {
    tags.iter().any(|tag| has_nul([&tag.key, &tag.value]))
}

fn run_has_nul(run: &LoadedRun) -> bool {
    has_nul([&run.name, &run.user].into_iter().chain(run.artifact_uri.as_ref()))
        || tags_have_nul(&run.tags)
        || run.params.iter().any(|param| has_nul([&param.key, &param.value]))
        || run.metrics.iter().any(|metric| has_nul([&metric.key]))
}
