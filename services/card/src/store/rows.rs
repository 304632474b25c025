//! Rows and what they mean: templates and versions, written and read.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    error::Error,
    template::{About, Content, Kind, Summary, Template, Visibility},
};

/// The number of a kind, that of the contract.
pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Product => 1,
        Kind::Info => 2,
        Kind::Custom => 3,
    }
}

/// The number of a visibility, that of the contract.
pub(super) fn visibility_number(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Private => 1,
        Visibility::Shared => 2,
    }
}

/// The summary in a row with the columns of `templates`.
pub(super) fn summary(row: &AnyRow) -> Result<Summary, Error> {
    let kind: i64 = row.try_get("kind")?;
    let kind = Kind::ALL.into_iter().find(|known| kind_number(*known) == kind);
    let visibility = match row.try_get::<i64, _>("visibility")? {
        1 => Visibility::Private,
        2 => Visibility::Shared,
        _ => return Err(Error::corrupt("a visibility")),
    };
    let tags: String = row.try_get("tags")?;
    Ok(Summary {
        template_id: row.try_get("template_id")?,
        owner_id: row.try_get("owner_id")?,
        about: About {
            kind: kind.ok_or_else(|| Error::corrupt("a kind"))?,
            display_name: row.try_get("display_name")?,
            description: row.try_get("description")?,
            tags: serde_json::from_str(&tags).map_err(|_| Error::corrupt("tags"))?,
            visibility,
        },
        version: row.try_get("version")?,
        create_time_us: row.try_get("create_time_us")?,
        update_time_us: row.try_get("update_time_us")?,
    })
}

/// The template in a row with the columns of `templates` and `versions`.
pub(super) fn template(row: &AnyRow) -> Result<Template, Error> {
    let parameters: String = row.try_get("parameters")?;
    let content = Content {
        parameters: serde_json::from_str(&parameters).map_err(|_| Error::corrupt("parameters"))?,
        source: row.try_get("source")?,
        stylesheet: row.try_get("stylesheet")?,
    };
    Ok(Template { summary: summary(row)?, content })
}

pub(super) async fn insert_template(tx: &mut AnyConnection, summary: &Summary) -> Result<(), Error> {
    let about = &summary.about;
    sqlx::query(
        "insert into templates (template_id, owner_id, kind, visibility, display_name, description, tags, \
         search_text, version, create_time_us, update_time_us) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(summary.template_id.clone())
    .bind(summary.owner_id.clone())
    .bind(kind_number(about.kind))
    .bind(visibility_number(about.visibility))
    .bind(about.display_name.clone())
    .bind(about.description.clone())
    .bind(tags(about)?)
    .bind(search_text(about))
    .bind(summary.version)
    .bind(summary.create_time_us)
    .bind(summary.update_time_us)
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes the row say that `summary` is the newest version, if the one before it was: the number of rows changed.
pub(super) async fn update_template(tx: &mut AnyConnection, summary: &Summary) -> Result<u64, Error> {
    let about = &summary.about;
    let updated = sqlx::query(
        "update templates set visibility = $1, display_name = $2, description = $3, tags = $4, search_text = $5, \
         version = $6, update_time_us = $7 where template_id = $8 and version = $9",
    )
    .bind(visibility_number(about.visibility))
    .bind(about.display_name.clone())
    .bind(about.description.clone())
    .bind(tags(about)?)
    .bind(search_text(about))
    .bind(summary.version)
    .bind(summary.update_time_us)
    .bind(summary.template_id.clone())
    .bind(summary.version - 1)
    .execute(tx)
    .await?;
    Ok(updated.rows_affected())
}

pub(super) async fn insert_version(tx: &mut AnyConnection, template: &Template) -> Result<(), Error> {
    let Template { summary, content } = template;
    let parameters = serde_json::to_string(&content.parameters).map_err(|_| Error::corrupt("parameters"))?;
    sqlx::query(
        "insert into versions (template_id, version, display_name, description, tags, parameters, source, \
         stylesheet, create_time_us) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(summary.template_id.clone())
    .bind(summary.version)
    .bind(summary.about.display_name.clone())
    .bind(summary.about.description.clone())
    .bind(tags(&summary.about)?)
    .bind(parameters)
    .bind(content.source.clone())
    .bind(content.stylesheet.clone())
    .bind(summary.update_time_us)
    .execute(tx)
    .await?;
    Ok(())
}

/// What a search looks through.
pub(crate) fn search_text(about: &About) -> String {
    format!("{}\n{}\n{}", about.display_name, about.description, about.tags.join("\n")).to_lowercase()
}

fn tags(about: &About) -> Result<String, Error> {
    serde_json::to_string(&about.tags).map_err(|_| Error::corrupt("tags"))
}
