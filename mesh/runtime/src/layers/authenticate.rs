//! Finds out who calls: verifies the bearer token locally, with the keys that `auth` streams.

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use http::header::AUTHORIZATION;

use super::{Layers, Response, refuse};
use crate::{
    identity::{Methods, Rule, TokenError},
    status::{Code, Problem, Reason},
};

pub(super) async fn authenticate(State(layers): State<Layers>, mut request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = header.and_then(bearer) else {
        return next.run(request).await;
    };
    match layers.trust.verify(token, layers.clock.now_us()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        // Whoever logs in may still carry the token that has run out.
        Err(_) if Methods::contract().rule(request.uri().path()) == Some(&Rule::Public) => {
            next.run(request).await
        }
        Err(error) => refuse(problem(&error, layers.trust.is_known())),
    }
}

/// The token in an `authorization` header; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn problem(error: &TokenError, keys_known: bool) -> Problem {
    match error {
        TokenError::Expired => Problem::new(
            Code::Unauthenticated,
            Reason::TokenExpired,
            "the access token has expired; get a new one with the refresh token",
        ),
        TokenError::UnknownKey if !keys_known => Problem::new(
            Code::Unavailable,
            Reason::DependencyUnavailable,
            "the keys that verify tokens have not arrived from auth yet; try again",
        ),
        TokenError::Invalid | TokenError::UnknownKey => {
            Problem::new(Code::Unauthenticated, Reason::Unauthenticated, "the access token is not valid")
        }
    }
}
