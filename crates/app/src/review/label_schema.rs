use serde_json::json;
use stele_domain::authz::ManageReview;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::review::{LabelInput, LabelKind, LabelSchema, LabelSchemaChange};
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};
use stele_store::Origin;

use super::{if_there, look_at};
use crate::experiment::open_active;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A question to be made.
#[derive(Debug, Clone)]
pub struct NewLabelSchema {
    pub experiment: ExperimentId,
    pub name: String,
    pub kind: LabelKind,
    pub input: LabelInput,
    pub instruction: Option<String>,
    pub has_comment: bool,
}

impl App {
    pub async fn label_schema_create(&self, ctx: &Ctx, new: NewLabelSchema) -> Result<LabelSchema> {
        let NewLabelSchema { experiment, name, kind, input, instruction, has_comment } = new;
        let now = ctx.now();
        let id = format!("ls-{}", ctx.new_id().simple());
        let schema = LabelSchema {
            id,
            experiment,
            name,
            kind,
            input,
            instruction,
            has_comment,
            is_default: false,
            created_at: now,
            updated_at: now,
        };
        schema.check()?;
        check(&schema)?;
        self.change::<ManageReview, _>(ctx, &schema.name.clone(), move |tx, permit| {
            open_active(tx, permit, experiment)?;
            tx.label_schema_create(permit, &schema)?;
            let change = Change::event("label-schema.create", Kind::LabelSchema, &schema.id);
            let after = json!({ "experiment": experiment.0, "name": schema.name });
            Ok(Changed::one(schema.clone(), change.after(after)))
        })
        .await
    }

    pub async fn label_schema_get(&self, ctx: &Ctx, id: String) -> Result<LabelSchema> {
        let visible = ctx.visible();
        self.read(move |tx| tx.label_schema_get(&visible, &id)).await
    }

    /// The question of an active experiment that has a name.
    pub async fn label_schema_by_name(&self, ctx: &Ctx, experiment: ExperimentId, name: String) -> Result<LabelSchema> {
        let visible = ctx.visible();
        self.read(move |tx| {
            look_at(tx, &visible, experiment)?;
            tx.label_schema_by_name(&visible, experiment, &name)
        })
        .await
    }

    /// The questions of an active experiment, the newest first. There is always one: it is made when somebody first
    /// asks, by the server itself, so that those who may only read get it as well.
    pub async fn label_schemas_list(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        window: Window,
    ) -> Result<Page<LabelSchema>> {
        let visible = ctx.visible();
        let has_default = self
            .read({
                let visible = visible.clone();
                move |tx| {
                    look_at(tx, &visible, experiment)?;
                    tx.label_schema_has_default(&visible, experiment)
                }
            })
            .await?;
        if !has_default {
            self.label_schema_default_create(ctx, experiment).await?;
        }
        self.read(move |tx| tx.label_schemas_list(&visible, experiment, window)).await
    }

    async fn label_schema_default_create(&self, ctx: &Ctx, experiment: ExperimentId) -> Result<()> {
        let (visible, asked) = (ctx.visible(), ctx.clone());
        let origin = Origin { workspace: ctx.workspace, ..self.own_origin() };
        let default = LabelSchema::default_of(experiment, format!("ls-{}", ctx.new_id().simple()), ctx.now());
        let told = self
            .store()
            .write(move |tx| {
                asked.hold_workspace(tx)?;
                tx.experiment_hold(&visible, experiment)?;
                if !tx.label_schema_default_create(&visible, &default)? {
                    return Ok(0);
                }
                let change = Change::event("label-schema.create", Kind::LabelSchema, &default.id);
                let after = json!({ "experiment": experiment.0, "name": default.name });
                tx.change_record(&origin, &change.after(after), || asked.new_id().simple().to_string())
            })
            .await?;
        if told > 0 {
            self.webhooks().wake();
        }
        Ok(())
    }

    pub async fn label_schema_update(&self, ctx: &Ctx, id: String, change: LabelSchemaChange) -> Result<LabelSchema> {
        let now = ctx.now();
        self.change::<ManageReview, _>(ctx, &id.clone(), move |tx, permit| {
            let mut schema = tx.label_schema_open(permit, &id)?;
            let before = json!({ "name": schema.name, "instruction": schema.instruction });
            schema.apply(change.clone(), now)?;
            check(&schema)?;
            tx.label_schema_update(permit, &schema)?;
            let after = json!({ "name": schema.name, "instruction": schema.instruction });
            let change = Change::event("label-schema.update", Kind::LabelSchema, &id).before(before).after(after);
            Ok(Changed::one(schema, change))
        })
        .await
    }

    /// Deletes a question; its answers stay. The one that every experiment has cannot be deleted.
    pub async fn label_schema_delete(&self, ctx: &Ctx, id: String) -> Result<()> {
        self.change::<ManageReview, _>(ctx, &id.clone(), move |tx, permit| {
            let opened = tx.label_schema_open(permit, &id);
            let Some(schema) = if_there(tx, permit, Kind::LabelSchema, &id, opened)? else {
                return Ok(Changed::nothing(()));
            };
            if schema.is_default {
                return Err(Error::invalid("The experiment's default question cannot be deleted."));
            }
            tx.label_schema_delete(permit, &id)?;
            let before = json!({ "experiment": schema.experiment.0, "name": schema.name });
            Ok(Changed::one((), Change::event("label-schema.delete", Kind::LabelSchema, &id).before(before)))
        })
        .await
    }
}

pub(crate) fn check(schema: &LabelSchema) -> Result<()> {
    check_text("name", &schema.name)?;
    check_text("instruction", schema.instruction.as_deref().unwrap_or(""))?;
    match &schema.input {
        LabelInput::PassFail { positive, negative } => {
            check_text("positive_label", positive)?;
            check_text("negative_label", negative)
        }
        LabelInput::Categorical { options, .. } => options.iter().try_for_each(|option| check_text("options", option)),
        LabelInput::Numeric { .. } | LabelInput::Text { .. } => Ok(()),
    }
}
