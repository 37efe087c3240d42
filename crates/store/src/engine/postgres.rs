use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::error::SqlState;
use postgres::types::Type;
use postgres::{Client, Statement, Transaction};
use r2d2::{ManageConnection, Pool};
use rand::Rng;
use stele_domain::{Error, Result};
use stele_postgres::{Server, unavailable};

use super::tx::Tx;
use super::value::{Value, params};
use crate::StoreState;
use crate::audit::Chain;

/// A pool of blocking connections; every transaction runs on a thread of tokio's blocking pool.
pub(crate) struct Postgres {
    /// Absent only while it is being closed.
    pool: Option<Pool<Manager>>,
}

impl Drop for Postgres {
    /// A blocking connection waits when it is closed, and panics where an async task would have to wait for it.
    fn drop(&mut self) {
        let pool = self.pool.take();
        std::thread::spawn(move || drop(pool));
    }
}

const CONNECTIONS: u32 = 16;

/// How often a write is tried when the database asks for it (deadlock, serialization failure).
const TRIES: u32 = 8;

/// Statements kept prepared on each connection.
const STATEMENTS: usize = 512;

impl Postgres {
    pub(crate) fn open(url: &str) -> Result<Postgres> {
        let server = Server::parse(url)?;
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(Some(1))
            // A dead connection is noticed when a transaction is begun on it, without a round trip for each that lives.
            .test_on_check_out(false)
            .connection_timeout(Duration::from_secs(20))
            .build(Manager { server })
            .map_err(|e| unavailable(&e))?;
        Ok(Postgres { pool: Some(pool) })
    }

    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        mut work: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.on_thread(move |pool| {
            let mut tries = 0;
            loop {
                tries += 1;
                match transact(pool, "BEGIN", &mut work) {
                    Err(Attempt::Retry(error)) if tries < TRIES => {
                        tracing::debug!(%error, tries, "trying a write again");
                        let most = 5_u64 << tries;
                        std::thread::sleep(Duration::from_millis(rand::rng().random_range(1..=most)));
                    }
                    outcome => return outcome.map_err(Attempt::into_error),
                }
            }
        })
        .await
    }

    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut work = Some(work);
        self.on_thread(move |pool| {
            let once = |tx: &mut Tx| match work.take() {
                Some(work) => work(tx),
                None => Err(Error::internal("a read ran twice")),
            };
            transact(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", once).map_err(Attempt::into_error)
        })
        .await
    }

    /// Runs a statement that no transaction may hold, such as `VACUUM`.
    pub(crate) async fn tidy(self: &Arc<Self>, sql: &'static str) -> Result<()> {
        self.on_thread(move |pool| {
            let mut connection = pool.get().map_err(|e| unavailable(&e))?;
            connection.client.batch_execute(sql).map_err(|e| map_error(sql, &e))
        })
        .await
    }

    pub(crate) async fn state(self: &Arc<Self>) -> Result<StoreState> {
        const SIZE: &str = "SELECT pg_database_size(current_database())";
        let bytes = self.read(|tx| Ok(tx.query(SIZE, params![], |row| row.int(0))?.first().copied())).await?;
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0);
        Ok(StoreState { bytes, writes_under_way: self.writes_under_way() })
    }

    pub(crate) fn writes_under_way(&self) -> usize {
        self.pool.as_ref().map_or(0, |pool| {
            let state = pool.state();
            state.connections.saturating_sub(state.idle_connections) as usize
        })
    }

    async fn on_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Pool<Manager>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = Arc::clone(self);
        let finished = tokio::task::spawn_blocking(move || {
            let pool = this.pool.as_ref().ok_or_else(|| Error::internal("the database is closed"))?;
            work(pool)
        });
        finished.await.map_err(|e| Error::internal(format!("a transaction did not finish: {e}")))?
    }
}

/// Runs `work` in a transaction on a connection of the pool. Connections that died while they were idle are passed
/// over: on them nothing was begun.
fn transact<T>(pool: &Pool<Manager>, begin: &str, mut work: impl FnMut(&mut Tx) -> Result<T>) -> Result<T, Attempt> {
    let mut dead = 0;
    loop {
        let mut connection = pool.get().map_err(|e| Attempt::Failed(unavailable(&e)))?;
        match attempt(&mut connection, begin, &mut work) {
            Err(Attempt::Dead(error)) if dead < CONNECTIONS => {
                dead += 1;
                tracing::debug!(%error, "a connection was dead");
            }
            outcome => return outcome,
        }
    }
}

enum Attempt {
    /// The connection broke before a transaction was begun.
    Dead(Error),
    Retry(Error),
    Failed(Error),
}

impl Attempt {
    fn into_error(self) -> Error {
        match self {
            Attempt::Dead(error) | Attempt::Retry(error) | Attempt::Failed(error) => error,
        }
    }
}

fn attempt<T>(
    connection: &mut Connection,
    begin: &str,
    mut work: impl FnMut(&mut Tx) -> Result<T>,
) -> Result<T, Attempt> {
    let Connection { client, statements, chain, broken } = connection;
    chain.settle();
    let mark = chain.mark();
    let transaction = if begin == "BEGIN" {
        client.transaction()
    } else {
        client.build_transaction().isolation_level(postgres::IsolationLevel::RepeatableRead).read_only(true).start()
    };
    let transaction = transaction.map_err(|error| {
        *broken = is_gone(&error);
        if *broken { Attempt::Dead(unavailable(&error)) } else { Attempt::Failed(unavailable(&error)) }
    })?;
    let mut tx = Tx::postgres(PostgresTx { transaction, statements, retry: false }, chain);
    let result = work(&mut tx).and_then(|value| tx.audit_flush().map(|()| value));
    let Some(PostgresTx { transaction, retry, .. }) = tx.into_postgres() else {
        return Err(Attempt::Failed(Error::internal("a transaction changed its engine")));
    };
    match result {
        Ok(value) => match transaction.commit() {
            Ok(()) => Ok(value),
            Err(error) => {
                // It may have been committed all the same.
                chain.forget();
                let failure = map_error("COMMIT", &error);
                Err(if may_retry(&error) { Attempt::Retry(failure) } else { Attempt::Failed(failure) })
            }
        },
        Err(error) => {
            if let Err(rollback) = transaction.rollback() {
                tracing::warn!(%rollback, "a transaction could not be rolled back");
            }
            chain.back_to(mark);
            Err(if retry { Attempt::Retry(error) } else { Attempt::Failed(error) })
        }
    }
}

pub(crate) struct PostgresTx<'a> {
    transaction: Transaction<'a>,
    statements: &'a mut HashMap<String, Statement>,
    /// Whether the database asked to run the transaction again.
    retry: bool,
}

impl PostgresTx<'_> {
    pub(super) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.run(sql, params, |tx, statement, params| tx.execute(statement, params))
    }

    pub(super) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<postgres::Row>> {
        self.run(sql, params, |tx, statement, params| tx.query(statement, params))
    }

    /// Inserts rows through `COPY`, which takes them without a statement each.
    pub(super) fn copy(&mut self, table: &str, columns: &str, values: &[Value]) -> Result<()> {
        let sql = format!("COPY {table} ({columns}) FROM STDIN BINARY");
        let copied = self.prepared(&format!("SELECT {columns} FROM {table}")).and_then(|shape| {
            let types: Vec<Type> = shape.columns().iter().map(|column| column.type_().clone()).collect();
            let mut rows = BinaryCopyInWriter::new(self.transaction.copy_in(&sql)?, &types);
            for row in values.chunks_exact(types.len()) {
                rows.write_raw(row.iter())?;
            }
            rows.finish()
        });
        copied.map(|_| ()).map_err(|error| {
            self.retry |= may_retry(&error);
            map_error(&sql, &error)
        })
    }

    fn run<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        run: impl FnOnce(
            &mut Transaction,
            &Statement,
            &[&(dyn postgres::types::ToSql + Sync)],
        ) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        let result = self.prepared(sql).and_then(|statement| {
            let params: Vec<&(dyn postgres::types::ToSql + Sync)> =
                params.iter().map(|value| value as &(dyn postgres::types::ToSql + Sync)).collect();
            run(&mut self.transaction, &statement, &params)
        });
        result.map_err(|error| {
            self.retry |= may_retry(&error);
            map_error(sql, &error)
        })
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(sql)?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn may_retry(error: &postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE)
    )
}

fn map_error(sql: &str, error: &postgres::Error) -> Error {
    let detail = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
    match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => {
            tracing::warn!(detail, sql, "a unique constraint refused");
            Error::conflict("somebody else changed the same thing at the same time")
        }
        // Class 54: a name, key or id that no index can hold.
        Some(code) if code.code().starts_with("54") => {
            Error::LimitExceeded { message: "a name, key or id is too long for the database".to_owned() }
        }
        Some(&SqlState::INVALID_REGULAR_EXPRESSION) => Error::invalid(detail),
        Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE | &SqlState::UNTRANSLATABLE_CHARACTER) => {
            Error::invalid("a text contains a NUL character")
        }
        // Class 08: connection, 53: resources, 57: operator intervention, 58: system.
        Some(code) if matches!(&code.code()[..2], "08" | "53" | "57" | "58" | "40") => {
            Error::Unavailable { message: format!("the database does not answer: {detail}") }
        }
        Some(_) => Error::internal(format!("{detail} in: {sql}")),
        None if is_gone(error) => {
            Error::Unavailable { message: format!("the connection to the database broke: {error}") }
        }
        None => Error::internal(format!("{error} ({:?}) in: {sql}", std::error::Error::source(error))),
    }
}

/// Whether the connection is of no use any more.
fn is_gone(error: &postgres::Error) -> bool {
    match error.code() {
        Some(code) => matches!(*code, SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN),
        None => {
            error.is_closed() || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
        }
    }
}

struct Manager {
    server: Server,
}

struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
    /// The chain of audit entries that it holds, for as long as it lives.
    chain: Chain,
    /// Whether it is known to be of no use any more.
    broken: bool,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Error;

    fn connect(&self) -> Result<Connection> {
        Ok(Connection {
            client: self.server.connect()?,
            statements: HashMap::new(),
            chain: Chain::default(),
            broken: false,
        })
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<()> {
        connection.client.is_valid(Duration::from_secs(5)).map_err(|e| unavailable(&e))
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.broken || connection.client.is_closed()
    }
}
