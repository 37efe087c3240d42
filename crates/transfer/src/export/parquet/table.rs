//! A Parquet file, written row by row in row groups of bounded size.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use stele_domain::{Error, Result};

use crate::export::cannot_write;

/// A row group ends at so many rows, or at so many bytes of text.
const GROUP_ROWS: usize = 128 * 1024;
const GROUP_BYTES: usize = 32 << 20;

/// What a column holds. Every column may have nulls, as readers expect of files that may come with further ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Real,
    Text,
    Bool,
    /// Milliseconds, which readers know as a time in UTC.
    Time,
}

#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bool(bool),
}

enum Values {
    Int(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
    Bool(Vec<bool>),
}

struct Column {
    values: Values,
    /// Of each row: 0 for null and 1 for a value.
    present: Vec<i16>,
}

pub(super) struct Table {
    name: &'static str,
    writer: SerializedFileWriter<File>,
    kinds: Vec<Kind>,
    columns: Vec<Column>,
    pending: usize,
    bytes: usize,
    rows: u64,
}

impl Table {
    pub(super) fn create(folder: &Path, name: &'static str, columns: &[(&str, Kind)]) -> Result<Table> {
        let path = folder.join(format!("{name}.parquet"));
        let file = File::create_new(&path).map_err(|error| cannot_write(&path, &error))?;
        let fields: Result<Vec<_>, ParquetError> =
            columns.iter().map(|(name, kind)| field(name, *kind).map(Arc::new)).collect();
        let schema = fields.and_then(|fields| Type::group_type_builder("stele").with_fields(fields).build());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("stele ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = schema.and_then(|schema| SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)));
        let kinds: Vec<Kind> = columns.iter().map(|(_, kind)| *kind).collect();
        Ok(Table {
            name,
            writer: writer.map_err(|error| failed(name, &error))?,
            columns: kinds.iter().map(|kind| Column::new(*kind)).collect(),
            kinds,
            pending: 0,
            bytes: 0,
            rows: 0,
        })
    }

    /// Adds a row, a cell a column.
    pub(super) fn push<const WIDTH: usize>(&mut self, row: [Cell; WIDTH]) -> Result<()> {
        debug_assert_eq!(WIDTH, self.columns.len(), "a cell a column of {}", self.name);
        for (column, cell) in self.columns.iter_mut().zip(row) {
            self.bytes += column.push(cell);
        }
        self.pending += 1;
        if self.pending >= GROUP_ROWS || self.bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending == 0 {
            return Ok(());
        }
        let empty = self.kinds.iter().map(|kind| Column::new(*kind)).collect();
        let columns = std::mem::replace(&mut self.columns, empty);
        self.rows += self.pending as u64;
        (self.pending, self.bytes) = (0, 0);
        let written = self.writer.next_row_group().and_then(|group| write_group(group, &columns));
        written.map_err(|error| failed(self.name, &error))
    }

    /// Ends the file; says how many rows it has.
    pub(super) fn finish(mut self) -> Result<(&'static str, u64)> {
        self.flush()?;
        let file = self.writer.into_inner().map_err(|error| failed(self.name, &error))?;
        file.sync_all().map_err(|error| cannot_write(Path::new(self.name), &error))?;
        Ok((self.name, self.rows))
    }
}

impl Column {
    fn new(kind: Kind) -> Column {
        let values = match kind {
            Kind::Int | Kind::Time => Values::Int(Vec::new()),
            Kind::Real => Values::Real(Vec::new()),
            Kind::Text => Values::Text(Vec::new()),
            Kind::Bool => Values::Bool(Vec::new()),
        };
        Column { values, present: Vec::new() }
    }

    /// Gives the bytes that the value takes.
    fn push(&mut self, cell: Cell) -> usize {
        let bytes = match (&mut self.values, cell) {
            (Values::Int(values), Cell::Int(value)) => {
                values.push(value);
                8
            }
            (Values::Real(values), Cell::Real(value)) => {
                values.push(value);
                8
            }
            (Values::Text(values), Cell::Text(value)) => {
                let bytes = value.len() + size_of::<ByteArray>();
                values.push(ByteArray::from(value.into_bytes()));
                bytes
            }
            (Values::Bool(values), Cell::Bool(value)) => {
                values.push(value);
                1
            }
            (_, cell) => {
                debug_assert!(matches!(cell, Cell::Null), "{cell:?} is not of the kind of its column");
                self.present.push(0);
                return 2;
            }
        };
        self.present.push(1);
        bytes + 2
    }
}

fn write_group(mut group: SerializedRowGroupWriter<File>, columns: &[Column]) -> Result<(), ParquetError> {
    for Column { values, present } in columns {
        let Some(mut writer) = group.next_column()? else { break };
        match values {
            Values::Int(values) => writer.typed::<Int64Type>().write_batch(values, Some(present), None)?,
            Values::Real(values) => writer.typed::<DoubleType>().write_batch(values, Some(present), None)?,
            Values::Bool(values) => writer.typed::<BoolType>().write_batch(values, Some(present), None)?,
            Values::Text(values) => writer.typed::<ByteArrayType>().write_batch(values, Some(present), None)?,
        };
        writer.close()?;
    }
    group.close().map(|_| ())
}

fn field(name: &str, kind: Kind) -> Result<Type, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Int => (PhysicalType::INT64, None),
        Kind::Real => (PhysicalType::DOUBLE, None),
        Kind::Bool => (PhysicalType::BOOLEAN, None),
        Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Time => (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

fn failed(name: &str, error: &ParquetError) -> Error {
    Error::Unavailable { message: format!("cannot write {name}.parquet: {error}") }
}
