//! Deleting what is too old to be asked for.

use sqlx::AnyConnection;

use super::Store;
use crate::error::Error;

/// Rows that one transaction deletes: it holds the writer for a few milliseconds.
const DELETED_MAX: i64 = 500;

/// What is deleted: before which moment, epoch microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cutoffs {
    /// Ended reservations and kept answers.
    pub(crate) history_us: i64,
    /// Alerts.
    pub(crate) alerts_us: i64,
    /// Counts of minutes and hours.
    pub(crate) short_periods_us: i64,
}

impl Store {
    /// Deletes some of what is older than `cutoffs`, and answers how many rows; 0 when nothing is left to delete.
    ///
    /// The ledger, the answers to top-ups, and the counts of days and months are kept for ever.
    pub(crate) async fn delete_history(&self, cutoffs: Cutoffs) -> Result<u64, Error> {
        self.database.write(move |tx| Box::pin(delete_history(tx, cutoffs))).await
    }
}

async fn delete_history(tx: &mut AnyConnection, cutoffs: Cutoffs) -> Result<u64, Error> {
    let statements = [
        (
            "delete from reservations where reservation_id in \
                 (select reservation_id from reservations where state <> 1 and create_time_us < $1 limit $2)",
            cutoffs.history_us,
        ),
        (
            "delete from requests where (caller, request_id) in \
                 (select caller, request_id from requests \
                  where method <> 'TopUp' and create_time_us < $1 limit $2)",
            cutoffs.history_us,
        ),
        (
            "delete from alerts where alert_id in \
                 (select alert_id from alerts where create_time_us < $1 limit $2)",
            cutoffs.alerts_us,
        ),
        // What is pending is still to be settled, however long ago it began.
        (
            "delete from counters where (subject, window_kind, start_us, meter) in \
                 (select subject, window_kind, start_us, meter from counters \
                  where window_kind <= 2 and end_us < $1 and pending = 0 limit $2)",
            cutoffs.short_periods_us,
        ),
    ];
    let mut deleted = 0;
    for (statement, before_us) in statements {
        let done = sqlx::query(statement).bind(before_us).bind(DELETED_MAX).execute(&mut *tx).await?;
        deleted += done.rows_affected();
    }
    Ok(deleted)
}
