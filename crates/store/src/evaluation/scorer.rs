use std::fmt::Write;

use stele_domain::authz::{ManageScorer, Permit, Place, Visibility};
use stele_domain::evaluation::{OnlineScoring, ScorerVersion};
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::{Error, Result};

use crate::Tx;
use crate::engine::{Row, list, params};

const COLUMNS: &str =
    "scorer.public_id, scorer.experiment_id, scorer.name, version.number, version.definition, version.created_at";

/// A scorer version that is the newest of its scorer.
const IS_LATEST: &str = "version.number =
     (SELECT MAX(newest.number) FROM scorer_version AS newest WHERE newest.scorer_id = version.scorer_id)";

impl Tx<'_> {
    /// Makes the next version of a scorer, and the scorer under `public_id` when there is none of its name. The
    /// caller holds the experiment.
    pub fn scorer_version_create(
        &mut self,
        _permit: &Permit<ManageScorer>,
        experiment: ExperimentId,
        name: &str,
        definition: &str,
        public_id: &str,
        now: Timestamp,
    ) -> Result<ScorerVersion> {
        const ENSURE: &str = "INSERT INTO scorer (public_id, experiment_id, name) VALUES ($1, $2, $3)
             ON CONFLICT (experiment_id, name) DO NOTHING";
        const FIND: &str = "SELECT scorer.id, scorer.public_id, COALESCE(MAX(version.number), 0) + 1
             FROM scorer LEFT JOIN scorer_version AS version ON version.scorer_id = scorer.id
             WHERE scorer.experiment_id = $1 AND scorer.name = $2 GROUP BY scorer.id, scorer.public_id";
        const INSERT: &str =
            "INSERT INTO scorer_version (scorer_id, number, definition, created_at) VALUES ($1, $2, $3, $4)";
        self.execute(ENSURE, params![public_id, experiment, name])?;
        let (row, scorer, number) =
            self.query_one(FIND, params![experiment, name], |row| Ok((row.int(0)?, row.text(1)?, row.int(2)?)))?;
        self.execute(INSERT, params![row, number, definition, now])?;
        Ok(ScorerVersion {
            scorer,
            experiment,
            name: name.to_owned(),
            number,
            definition: definition.to_owned(),
            created_at: now,
        })
    }

    /// The newest version of every scorer of these experiments, by experiment and name.
    pub fn scorers_latest(&mut self, visible: &Visibility, experiments: &[ExperimentId]) -> Result<Vec<ScorerVersion>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM scorer
             JOIN experiment ON experiment.id = scorer.experiment_id AND experiment.workspace_id = $1
             JOIN scorer_version AS version ON version.scorer_id = scorer.id AND {IS_LATEST}
             WHERE scorer.experiment_id {} ORDER BY scorer.experiment_id, scorer.name",
            self.is_one_of_ints(2)
        );
        self.query(&sql, params![visible.workspace(), list(visible.among(experiments).iter().map(|id| id.0))], version)
    }

    /// The active ones of these experiments, or of all.
    pub fn experiments_active(
        &mut self,
        visible: &Visibility,
        among: Option<&[ExperimentId]>,
    ) -> Result<Vec<ExperimentId>> {
        const ALL: &str = "SELECT id FROM experiment WHERE workspace_id = $1 AND presence = 'active'";
        let id = |row: &Row| row.int(0).map(ExperimentId);
        let mut values = params![visible.workspace()].to_vec();
        let mut sql = ALL.to_owned();
        sql.push_str(&self.and_experiment_seen(visible, "id", &mut values));
        if let Some(among) = among {
            values.push(list(among.iter().map(|id| id.0)));
            write!(sql, " AND id {}", self.is_one_of_ints(values.len())).map_err(|e| Error::internal(e.to_string()))?;
        }
        self.query(&sql, &values, id)
    }

    /// All versions of a scorer, oldest first; none when there is no such scorer.
    pub fn scorer_versions(
        &mut self,
        visible: &Visibility,
        experiment: ExperimentId,
        name: &str,
    ) -> Result<Vec<ScorerVersion>> {
        if !visible.sees(Place::Experiment(experiment)) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM scorer
             JOIN experiment ON experiment.id = scorer.experiment_id AND experiment.workspace_id = $1
             JOIN scorer_version AS version ON version.scorer_id = scorer.id
             WHERE scorer.experiment_id = $2 AND scorer.name = $3 ORDER BY version.number"
        );
        self.query(&sql, params![visible.workspace(), experiment, name], version)
    }

    /// Deletes one version, or a scorer with all of them; says whether there was any.
    pub fn scorer_delete(
        &mut self,
        _permit: &Permit<ManageScorer>,
        experiment: ExperimentId,
        name: &str,
        number: Option<i64>,
    ) -> Result<bool> {
        const ONE: &str = "DELETE FROM scorer_version WHERE number = $3 AND scorer_id =
             (SELECT id FROM scorer WHERE experiment_id = $1 AND name = $2)";
        const ANY: &str = "SELECT COUNT(*) FROM scorer_version WHERE scorer_id =
             (SELECT id FROM scorer WHERE experiment_id = $1 AND name = $2)";
        const ALL: &str = "DELETE FROM scorer WHERE experiment_id = $1 AND name = $2";
        if let Some(number) = number {
            return Ok(self.execute(ONE, params![experiment, name, number])? > 0);
        }
        let versions = self.query_one(ANY, params![experiment, name], |row| row.int(0))?;
        if versions > 0 {
            self.execute(ALL, params![experiment, name])?;
        }
        Ok(versions > 0)
    }

    /// Replaces how a scorer judges by itself; none when there is no such scorer.
    pub fn online_scoring_set(
        &mut self,
        _permit: &Permit<ManageScorer>,
        name: &str,
        scoring: &OnlineScoring,
    ) -> Result<Option<OnlineScoring>> {
        const FIND: &str = "SELECT id, public_id FROM scorer WHERE experiment_id = $1 AND name = $2";
        const UPSERT: &str = "INSERT INTO online_scoring (scorer_id, public_id, experiment_id, sample_rate, filter)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (scorer_id) DO UPDATE SET public_id = excluded.public_id,
                 sample_rate = excluded.sample_rate, filter = excluded.filter";
        let found = self.query_opt(FIND, params![scoring.experiment, name], |row| Ok((row.int(0)?, row.text(1)?)))?;
        let Some((row, scorer)) = found else { return Ok(None) };
        let values = params![row, &scoring.id, scoring.experiment, scoring.sample_rate, scoring.filter.as_deref()];
        self.execute(UPSERT, values)?;
        Ok(Some(OnlineScoring { scorer, ..scoring.clone() }))
    }

    /// How these scorers judge by themselves; those that do not are left out.
    pub fn online_scorings(&mut self, visible: &Visibility, scorers: &[String]) -> Result<Vec<OnlineScoring>> {
        let mut values = params![visible.workspace(), list(scorers.iter().map(String::as_str))].to_vec();
        let seen = self.and_experiment_seen(visible, "scorer.experiment_id", &mut values);
        let sql = format!(
            "SELECT scoring.public_id, scorer.public_id, scoring.experiment_id, scoring.sample_rate, scoring.filter
             FROM online_scoring AS scoring JOIN scorer ON scorer.id = scoring.scorer_id
             JOIN experiment ON experiment.id = scorer.experiment_id AND experiment.workspace_id = $1
             WHERE scorer.public_id {}{seen} ORDER BY scorer.id",
            self.is_one_of_texts(2)
        );
        self.query(&sql, &values, |row| {
            Ok(OnlineScoring {
                id: row.text(0)?,
                scorer: row.text(1)?,
                experiment: ExperimentId(row.int(2)?),
                sample_rate: row.real(3)?,
                filter: row.opt_text(4)?,
            })
        })
    }
}

fn version(row: &Row) -> Result<ScorerVersion> {
    Ok(ScorerVersion {
        scorer: row.text(0)?,
        experiment: ExperimentId(row.int(1)?),
        name: row.text(2)?,
        number: row.int(3)?,
        definition: row.text(4)?,
        created_at: Timestamp(row.int(5)?),
    })
}
