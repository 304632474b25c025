//! The only SQL: answers kept for repeated requests.

use plexus_runtime::stores::{
    database::{Database, Error},
    requests::{self, ReplayError, RequestKey},
};

/// The answers of this service; clones share the database.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// The store in `database`.
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The encoded answer that was kept for `key`.
    ///
    /// # Errors
    /// When the id stands for another request, or the database fails.
    pub(crate) async fn kept(&self, key: &RequestKey) -> Result<Option<Vec<u8>>, ReplayError> {
        let mut connection = self.database.reads().acquire().await.map_err(Error::from)?;
        requests::replay_bytes(&mut connection, key).await
    }

    /// Keeps an encoded answer for `key`.
    ///
    /// # Errors
    /// When another answer to the same request was kept in the meantime, or the database fails.
    pub(crate) async fn keep(&self, key: RequestKey, answer: Vec<u8>, now_us: i64) -> Result<(), Error> {
        self.database
            .write(move |tx| Box::pin(async move { requests::record_bytes(tx, &key, answer, now_us).await }))
            .await
    }

    /// Forgets the answers from before `before_us`, and says how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn forget(&self, before_us: i64) -> Result<u64, Error> {
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    let done = sqlx::query("delete from requests where create_time_us < $1")
                        .bind(before_us)
                        .execute(tx)
                        .await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use plexus_runtime::identity::Caller;

    use super::*;
    use crate::Ai;

    fn key(request_id: &str, body: u8) -> RequestKey {
        let caller = Caller::new("user:alice", "", Default::default());
        RequestKey::with_body_hash(&caller, "Chat", request_id, vec![body]).unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_kept_until_it_is_too_old() {
        plexus_testkit::stores::each_engine::<Ai, _, _>(|database| async move {
            let store = Store::new(database);
            assert_eq!(store.kept(&key("r1", 1)).await.unwrap(), None);
            store.keep(key("r1", 1), vec![7], 1_000).await.unwrap();
            store.keep(key("r2", 1), vec![8], 2_000).await.unwrap();
            assert_eq!(store.kept(&key("r1", 1)).await.unwrap(), Some(vec![7]));
            assert!(matches!(store.kept(&key("r1", 2)).await, Err(ReplayError::Reused)));
            assert!(matches!(store.keep(key("r1", 1), vec![9], 3_000).await, Err(Error::Busy)));
            assert_eq!(store.forget(2_000).await.unwrap(), 1);
            assert_eq!(store.kept(&key("r1", 1)).await.unwrap(), None);
            assert_eq!(store.kept(&key("r2", 1)).await.unwrap(), Some(vec![8]));
        })
        .await;
    }
}
