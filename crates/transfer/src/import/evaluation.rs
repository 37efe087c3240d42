use stele_app::LoadedScorer;
use stele_domain::Result;
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp, WebhookRow};
use stele_domain::webhook::{Subscription, Webhook, WebhookFormat, WebhookStatus};

use super::load::{Here, Loader};
use super::sink::SourceWebhook;

/// A dataset whose records are coming.
pub(super) struct OpenDataset {
    row: EvaluationDatasetRow,
    dataset: EvaluationDataset,
}

impl Loader {
    pub(super) async fn evaluation_dataset(
        &mut self,
        dataset: EvaluationDataset,
        experiments: Vec<(String, Timestamp)>,
    ) -> Result<()> {
        // Experiments have other numbers here when theirs were taken.
        let here = |id: String| match id.parse().map(|id| self.here(ExperimentId(id))) {
            Ok(Ok(Here { id, .. })) => id.to_string(),
            _ => id,
        };
        let experiments = experiments.into_iter().map(|(id, at)| (here(id), at)).collect();
        let loaded = self.app.evaluation_dataset_load(&self.ctx, dataset.clone(), experiments).await?;
        if loaded.is_none() {
            self.report.known.evaluation_datasets += 1;
        }
        self.dataset = loaded.map(|row| OpenDataset { row, dataset });
        Ok(())
    }

    pub(super) async fn evaluation_records(&mut self, records: Vec<EvaluationRecord>) -> Result<()> {
        let Some(OpenDataset { row, dataset }) = &self.dataset else { return Ok(()) };
        let new = self.app.evaluation_records_load(&self.ctx, dataset.id.clone(), *row, records).await?;
        self.report.taken.evaluation_records += new as u64;
        Ok(())
    }

    pub(super) async fn evaluation_dataset_ends(&mut self) -> Result<()> {
        let Some(OpenDataset { row, dataset }) = self.dataset.take() else { return Ok(()) };
        self.app.evaluation_dataset_loaded(&self.ctx, row, dataset).await?;
        self.report.taken.evaluation_datasets += 1;
        Ok(())
    }

    pub(super) async fn scorers(&mut self, experiment: ExperimentId, scorers: Vec<LoadedScorer>) -> Result<()> {
        let Ok(Here { id, .. }) = self.here(experiment) else { return Ok(()) };
        let all = scorers.len();
        let new = self.app.scorers_load(&self.ctx, id, scorers).await?;
        self.report.taken.scorers += new as u64;
        self.report.known.scorers += (all - new) as u64;
        Ok(())
    }

    /// Loads a webhook. One whose messages were signed comes without its secret, and disabled, since its
    /// receiver counts on the signature.
    pub(super) async fn webhook(&mut self, webhook: SourceWebhook) -> Result<()> {
        let SourceWebhook { id, name, description, url, status, is_signed, events, created_at, updated_at } = webhook;
        let Some(subscription) = self.subscription else { return Ok(()) };
        let mut subscriptions: Vec<Subscription> = Vec::with_capacity(events.len());
        for event in events {
            match subscription(&event) {
                Some(subscription) => subscriptions.push(subscription),
                None => {
                    let why = "no such event happens here";
                    self.not_taken.add("events of webhooks", why, 1, Some(format!("{name}: {event}")));
                }
            }
        }
        subscriptions.sort();
        let example = name.clone();
        let webhook = Webhook {
            row: WebhookRow(0),
            id,
            name,
            description: description.filter(|text| !text.is_empty()),
            url,
            format: WebhookFormat::Mlflow,
            secret: None,
            status: if is_signed { WebhookStatus::Disabled } else { status },
            subscriptions,
            created_at,
            updated_at,
        };
        if !self.app.webhook_load(&self.ctx, webhook).await? {
            self.report.known.webhooks += 1;
            return Ok(());
        }
        self.report.taken.webhooks += 1;
        if is_signed {
            let why = "only the old server can read them: the webhooks are disabled until you give them new ones";
            self.not_taken.add("secrets of webhooks", why, 1, Some(example));
        }
        Ok(())
    }
}
