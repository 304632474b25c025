//! Many rows in one statement, which is what makes batches fast: about eight times one row at a time.

use sqlx::{Any, AnyConnection, AssertSqlSafe, any::AnyArguments, query::Query};

/// Rows of one statement: near the best rate, and far below the 32,766 parameters that SQLite takes.
const ROWS_MAX: usize = 100;

/// A statement under way, whose parameters are bound one after the other.
pub(super) type Statement = Query<'static, Any, AnyArguments>;

/// An upsert of any number of rows: `insert into TABLE (COLUMNS) values … TAIL`.
#[derive(Clone, Copy)]
pub(super) struct Insert {
    /// The table and its columns in brackets.
    pub into: &'static str,
    /// How many columns these are.
    pub columns: usize,
    /// What follows the values, such as `on conflict …`.
    pub tail: &'static str,
}

impl Insert {
    /// The statement for `rows` rows.
    pub(super) fn text(self, rows: usize) -> AssertSqlSafe<String> {
        let row = |row: usize| {
            let first = row * self.columns + 1;
            let parameters: Vec<String> =
                (first..first + self.columns).map(|number| format!("${number}")).collect();
            format!("({})", parameters.join(", "))
        };
        let values: Vec<String> = (0..rows).map(row).collect();
        // Only constants of this crate and numbers go into the text; values are bound.
        AssertSqlSafe(format!("insert into {} values {} {}", self.into, values.join(", "), self.tail))
    }

    /// Writes `rows`, each bound by `bind`.
    pub(super) async fn run<R>(
        self,
        transaction: &mut AnyConnection,
        rows: impl IntoIterator<Item = R>,
        bind: impl Fn(Statement, R) -> Statement,
    ) -> Result<(), sqlx::Error> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<R> = rows.by_ref().take(ROWS_MAX).collect();
            let statement = sqlx::query(self.text(chunk.len()));
            chunk.into_iter().fold(statement, &bind).execute(&mut *transaction).await?;
        }
        Ok(())
    }
}

/// The rows of one statement.
pub(super) fn chunks<T>(rows: &[T]) -> std::slice::Chunks<'_, T> {
    rows.chunks(ROWS_MAX)
}
