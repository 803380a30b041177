//! The response body, written while the rows arrive.

use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};
use serde::Serialize;

use crate::{
    budget::Lease,
    error::Failure,
    request::{Format, Work},
    text::{self, Malformed},
};

/// Builds `{fields,rows,command,rowCount,rowAsArray}`, or `{results:[…]}` of these.
pub(crate) struct Reply<'a> {
    out: Vec<u8>,
    work: &'a Work,
    format: Format,
    limit: usize,
    results: usize,
    columns: Option<Vec<Column>>,
    has_rows: bool,
    lease: Lease,
}

impl<'a> Reply<'a> {
    /// `limit` bounds the body, in bytes; it is held by `lease`.
    pub(crate) fn new(work: &'a Work, format: Format, limit: usize, lease: Lease) -> Self {
        let mut out = Vec::with_capacity(512);
        if matches!(work, Work::Batch(_)) {
            out.extend_from_slice(br#"{"results":["#);
        }
        Self { out, work, format, limit, results: 0, columns: None, has_rows: false, lease }
    }

    /// The current statement has rows of this shape.
    pub(crate) fn describe(&mut self, description: &RowDescriptionBody) -> Result<(), Failure> {
        let columns = read_columns(description)?;
        self.open(&columns)?;
        self.columns = Some(columns);
        Ok(())
    }

    /// A row of the current statement.
    pub(crate) fn row(&mut self, row: &DataRowBody) -> Result<(), Failure> {
        let columns = self.columns.take().unwrap_or_default();
        if self.has_rows {
            self.out.push(b',');
        }
        self.has_rows = true;
        let written = self.write_row(&columns, row);
        self.columns = Some(columns);
        written?;
        self.check()
    }

    /// The current statement is done; `tag` is Postgres' `SELECT 3`, `INSERT 0 1`, `BEGIN`, …
    pub(crate) fn complete(&mut self, tag: &str) -> Result<(), Failure> {
        if self.columns.take().is_none() {
            self.open(&[])?;
        }
        let command = tag.split(' ').next().unwrap_or_default();
        let row_count: Option<u64> = tag.rsplit(' ').next().and_then(|count| count.parse().ok());
        self.out.extend_from_slice(br#"],"command":"#);
        text::write_string(&mut self.out, command)?;
        self.out.extend_from_slice(br#","rowCount":"#);
        append(&mut self.out, &row_count)?;
        self.out.extend_from_slice(br#","rowAsArray":"#);
        let array_mode = self.array_mode();
        append(&mut self.out, &array_mode)?;
        self.out.push(b'}');
        self.results += 1;
        self.has_rows = false;
        self.check()
    }

    /// The whole body, and what holds its memory.
    pub(crate) fn finish(mut self) -> Result<(Vec<u8>, Lease), Failure> {
        if matches!(self.work, Work::Batch(_)) {
            self.out.extend_from_slice(b"]}");
        }
        self.check()?;
        Ok((self.out, self.lease))
    }

    /// Begins anew, for another attempt.
    pub(crate) fn restart(self) -> Self {
        Self::new(self.work, self.format, self.limit, self.lease)
    }

    fn check(&mut self) -> Result<(), Failure> {
        if self.out.len() > self.limit {
            return Err(Failure::ResponseTooLarge);
        }
        self.lease.hold(self.out.capacity()).map_err(|_| Failure::NoRoom)
    }

    fn array_mode(&self) -> bool {
        let statement = match self.work {
            Work::Single(statement) => Some(statement),
            Work::Batch(statements) => statements.get(self.results),
        };
        let chosen = statement.and_then(|statement| statement.array_mode);
        chosen.unwrap_or(self.format.array_mode)
    }

    fn open(&mut self, columns: &[Column]) -> Result<(), Failure> {
        if self.results > 0 {
            self.out.push(b',');
        }
        self.out.extend_from_slice(br#"{"fields":"#);
        append(&mut self.out, columns)?;
        self.out.extend_from_slice(br#","rows":["#);
        Ok(())
    }

    fn write_row(&mut self, columns: &[Column], row: &DataRowBody) -> Result<(), Failure> {
        let array_mode = self.array_mode();
        let (open, close) = if array_mode { (b'[', b']') } else { (b'{', b'}') };
        self.out.push(open);
        let mut columns = columns.iter();
        let mut separate = false;
        let mut ranges = row.ranges();
        while let Some(range) = ranges.next()? {
            let column = columns.next().ok_or(Malformed("more values than columns"))?;
            if column.is_shadowed && !array_mode {
                continue;
            }
            if separate {
                self.out.push(b',');
            }
            separate = true;
            if !array_mode {
                text::write_string(&mut self.out, &column.name)?;
                self.out.push(b':');
            }
            match range {
                None => self.out.extend_from_slice(b"null"),
                Some(range) => self.write_value(column, &row.buffer()[range])?,
            }
        }
        self.out.push(close);
        Ok(())
    }

    fn write_value(&mut self, column: &Column, value: &[u8]) -> Result<(), Failure> {
        let value = std::str::from_utf8(value).map_err(|_| Malformed("not UTF-8"))?;
        if self.format.raw_text {
            text::write_string(&mut self.out, value)?;
        } else {
            text::write_json(&mut self.out, column.data_type_id, value)?;
        }
        Ok(())
    }
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// One of `fields`.
#[derive(Serialize)]
struct Column {
    name: String,
    #[serde(rename = "dataTypeID")]
    data_type_id: u32,
    #[serde(rename = "tableID")]
    table_id: u32,
    #[serde(rename = "columnID")]
    column_id: i16,
    #[serde(rename = "dataTypeSize")]
    data_type_size: i16,
    #[serde(rename = "dataTypeModifier")]
    data_type_modifier: i32,
    format: &'static str,
    /// A later column has the same name: in an object only the last one is seen.
    #[serde(skip)]
    is_shadowed: bool,
}

fn read_columns(description: &RowDescriptionBody) -> io::Result<Vec<Column>> {
    let mut columns: Vec<Column> = description
        .fields()
        .map(|field| {
            Ok(Column {
                name: field.name().to_owned(),
                data_type_id: field.type_oid(),
                table_id: field.table_oid(),
                column_id: field.column_id(),
                data_type_size: field.type_size(),
                data_type_modifier: field.type_modifier(),
                format: "text",
                is_shadowed: false,
            })
        })
        .collect()?;
    let mut seen = std::collections::HashSet::new();
    for column in columns.iter_mut().rev() {
        column.is_shadowed = !seen.insert(column.name.clone());
    }
    Ok(columns)
}

fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Malformed> {
    serde_json::to_writer(out, value).map_err(|_| Malformed("not JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    fn reply(work: &Work, limit: usize, budget: usize) -> Reply<'_> {
        let format = Format { raw_text: true, array_mode: false };
        Reply::new(work, format, limit, Budget::new(budget).lease())
    }

    #[test]
    fn statements_without_rows() {
        let work = Work::parse(br#"{"queries":[{"query":"a"},{"query":"b","arrayMode":true}]}"#);
        let work = work.unwrap();
        let mut reply = reply(&work, 1000, 10_000);
        reply.complete("CREATE TABLE").unwrap();
        reply.complete("INSERT 0 7").unwrap();
        let body = String::from_utf8(reply.finish().unwrap().0).unwrap();
        assert_eq!(
            body,
            concat!(
                r#"{"results":[{"fields":[],"rows":[],"command":"CREATE","rowCount":null,"rowAsArray":false},"#,
                r#"{"fields":[],"rows":[],"command":"INSERT","rowCount":7,"rowAsArray":true}]}"#
            )
        );
    }

    #[test]
    fn the_limit_holds_for_the_frame_too() {
        let work = Work::parse(br#"{"query":"a"}"#).unwrap();
        let refused = reply(&work, 10, 10_000).complete("SELECT 0");
        assert!(matches!(refused, Err(Failure::ResponseTooLarge)));
        let refused = reply(&work, 1000, 10).complete("SELECT 0");
        assert!(matches!(refused, Err(Failure::NoRoom)));
    }
}
