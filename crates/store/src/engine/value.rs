use bytes::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use rusqlite::types::ToSqlOutput;
use stele_domain::{Error, Result};

/// A bound value. Booleans travel as 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(std::borrow::Cow<'a, str>),
    Blob(std::borrow::Cow<'a, [u8]>),
}

/// `params![a, b]` binds `a` to `$1` and `b` to `$2`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::engine::Value::from($value)),*][..] };
}
pub(crate) use params;

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Int(value.into())
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Value::Real(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(value.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Text(value.as_str().into())
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Value::Text(value.into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Blob(value.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(value: Vec<u8>) -> Self {
        Value::Blob(value.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

macro_rules! from_row_ids {
    ($($id:ident),*) => {$(
        impl From<stele_domain::id::$id> for Value<'_> {
            fn from(value: stele_domain::id::$id) -> Self {
                Value::Int(value.0)
            }
        }
    )*};
}
from_row_ids!(
    WorkspaceId,
    ExperimentId,
    RunRow,
    SeriesRow,
    ArtifactRow,
    ModelRow,
    ModelVersionRow,
    EvaluationDatasetRow,
    WebhookRow,
    AccountRow,
    GroupRow,
    GrantRow,
    ResourceRow,
    DeliveryRow,
    TraceRow,
    ReviewQueueRow,
    Timestamp
);

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use rusqlite::types::{Value as Owned, ValueRef};
        Ok(match self {
            Value::Null => ToSqlOutput::Owned(Owned::Null),
            Value::Int(value) => ToSqlOutput::Owned(Owned::Integer(*value)),
            Value::Real(value) => ToSqlOutput::Owned(Owned::Real(*value)),
            Value::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Blob(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
        })
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            // PostgreSQL infers the type of a parameter from its surroundings, so an integer may be wanted
            // in another width or as a double.
            Value::Int(value) => match *ty {
                Type::INT2 => i16::try_from(*value)?.to_sql(ty, out),
                Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
                #[expect(clippy::cast_precision_loss, reason = "the column is a double")]
                Type::FLOAT8 => (*value as f64).to_sql(ty, out),
                _ => value.to_sql(ty, out),
            },
            Value::Real(value) => value.to_sql(ty, out),
            Value::Text(value) => value.as_ref().to_sql(ty, out),
            Value::Blob(value) => value.as_ref().to_sql(ty, out),
        }
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One row of an answer. Columns are counted from 0.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a postgres::Row),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $type:ty),+ $(,)?) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self, column: usize) -> Result<$type> {
            match self {
                Row::Sqlite(row) => row.get(column).map_err(wrong_type),
                Row::Postgres(row) => row.try_get(column).map_err(wrong_type),
            }
        }
    )+};
}

impl Row<'_> {
    getters! {
        int: i64,
        opt_int: Option<i64>,
        real: f64,
        opt_real: Option<f64>,
        text: String,
        opt_text: Option<String>,
        blob: Vec<u8>,
        opt_blob: Option<Vec<u8>>,
    }

    /// As `text`, without a copy.
    pub(crate) fn str(&self, column: usize) -> Result<&str> {
        self.opt_str(column)?.ok_or_else(|| Error::internal("the database gave no value where there must be one"))
    }

    pub(crate) fn opt_str(&self, column: usize) -> Result<Option<&str>> {
        match self {
            Row::Sqlite(row) => row.get_ref(column).map_err(wrong_type)?.as_str_or_null().map_err(wrong_type),
            Row::Postgres(row) => row.try_get(column).map_err(wrong_type),
        }
    }

    pub(crate) fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        match self {
            Row::Sqlite(row) => row.get_ref(column).map_err(wrong_type)?.as_blob_or_null().map_err(wrong_type),
            Row::Postgres(row) => row.try_get(column).map_err(wrong_type),
        }
    }

    pub(crate) fn bool(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// Parses a text column with one of the record's enums.
    pub(crate) fn parsed<T>(&self, column: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| Error::internal(format!("unknown state '{text}' in the database")))
    }
}

fn wrong_type(error: impl std::error::Error) -> Error {
    Error::internal(format!("the database gave a value of another type: {error}"))
}
