//! What a handler may fail by, and how that looks.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::pages;

#[derive(Debug)]
pub(crate) enum Failure {
    SignIn,
    NotAllowed,
    NotFound,
    SoldOut,
    NothingToOrder,
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::SignIn => return Redirect::to("/sign-in").into_response(),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "This is for clerks."),
            Self::NotFound => (StatusCode::NOT_FOUND, "There is no such page."),
            Self::SoldOut => (
                StatusCode::CONFLICT,
                "Something in your cart has just been sold out. Nothing was ordered.",
            ),
            Self::NothingToOrder => (StatusCode::CONFLICT, "Your cart is empty."),
            Self::Database(error) => {
                tracing::error!(%error, "the database has failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something is wrong here. Please try again in a moment.",
                )
            }
        };
        (status, pages::message(text)).into_response()
    }
}
