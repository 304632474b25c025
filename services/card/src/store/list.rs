//! Lists: the templates that somebody may use, and the versions of one.

use sqlx::Row as _;

use super::{Store, rows};
use crate::{
    error::Error,
    template::{Kind, Summary},
};

/// Words in one search.
pub(crate) const WORDS_MAX: usize = 8;

/// Which templates a list holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Who asks: a list holds their own templates and the shared ones.
    pub(crate) viewer_id: String,
    /// Only their own.
    pub(crate) owned: bool,
    pub(crate) kind: Option<Kind>,
    /// All of these must occur, at most [`WORDS_MAX`].
    pub(crate) words: Vec<String>,
}

/// A page of a list: what comes after `after`, in the order of the list, at most `size`.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) after: String,
    pub(crate) size: i64,
}

impl Filter {
    /// Whether a template that is not in the store belongs to the list.
    pub(crate) fn takes(&self, summary: &Summary) -> bool {
        let text = rows::search_text(&summary.about);
        !self.owned
            && self.kind.is_none_or(|kind| kind == summary.about.kind)
            && self.words.iter().all(|word| text.contains(&word.to_lowercase()))
    }
}

impl Store {
    /// The templates that `filter` takes, newest first.
    pub(crate) async fn templates(&self, filter: &Filter, page: Page) -> Result<Vec<Summary>, Error> {
        let mut query = sqlx::query(
            "select template_id, owner_id, kind, visibility, display_name, description, tags, version, \
             create_time_us, update_time_us from templates \
             where (owner_id = $1 or (visibility = 2 and $2 = 0)) and ($3 = 0 or kind = $3) \
             and ($4 = '' or template_id < $4) \
             and search_text like $5 escape '!' and search_text like $6 escape '!' \
             and search_text like $7 escape '!' and search_text like $8 escape '!' \
             and search_text like $9 escape '!' and search_text like $10 escape '!' \
             and search_text like $11 escape '!' and search_text like $12 escape '!' \
             order by template_id desc limit $13",
        )
        .bind(filter.viewer_id.clone())
        .bind(i64::from(filter.owned))
        .bind(filter.kind.map_or(0, rows::kind_number))
        .bind(page.after);
        for index in 0..WORDS_MAX {
            query = query.bind(filter.words.get(index).map_or_else(|| "%".to_owned(), |word| pattern(word)));
        }
        let rows = query.bind(page.size).fetch_all(self.database.reads()).await?;
        rows.iter().map(rows::summary).collect()
    }

    /// The versions of a template before `before` (0: all), newest first: number and time of each.
    pub(crate) async fn versions(
        &self,
        template_id: &str,
        before: i64,
        size: i64,
    ) -> Result<Vec<(i64, i64)>, Error> {
        let rows = sqlx::query(
            "select version, create_time_us from versions \
             where template_id = $1 and ($2 = 0 or version < $2) order by version desc limit $3",
        )
        .bind(template_id.to_owned())
        .bind(before)
        .bind(size)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

/// A pattern that finds `word` in any place, its own signs of patterns taken as they are.
fn pattern(word: &str) -> String {
    let mut pattern = "%".to_owned();
    for character in word.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
