//! Routes as values, so that what the router serves is what the OpenAPI document says.

use std::borrow::Cow;
use std::pin::Pin;

use axum::http::Method;
use axum::response::Response;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::Result;
use super::call::Call;

pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// One route; its path lies below [`super::ROOT`].
#[derive(Clone)]
pub(super) struct Route {
    /// What generated clients call it.
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) handler: fn(Call) -> Answer,
    /// What it does, in one sentence.
    pub(super) says: &'static str,
    /// Every query parameter that it takes; others are refused.
    pub(super) query: &'static [Parameter],
    pub(super) takes: Content,
    pub(super) gives: Content,
}

/// What a body is.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Nothing,
    /// Bytes of any kind and length.
    File,
    Json(SchemaOf),
}

/// The schema of a type, taken when the document is made.
#[derive(Clone, Copy)]
pub(super) struct SchemaOf {
    pub(super) name: fn() -> Cow<'static, str>,
    pub(super) schema: fn() -> RefOr<Schema>,
    /// Collects the schemas that it refers to.
    pub(super) parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl SchemaOf {
    pub(super) fn of<T: ToSchema>() -> SchemaOf {
        SchemaOf { name: T::name, schema: T::schema, parts: T::schemas }
    }
}

/// `route!(name: GET "path" => handler, "What it does.")`
macro_rules! route {
    ($name:ident: $method:ident $path:literal => $handler:path, $says:literal) => {
        $crate::api::route::Route {
            name: stringify!($name),
            method: axum::http::Method::$method,
            path: $path,
            handler: |call| Box::pin($handler(call)),
            says: $says,
            query: &[],
            takes: $crate::api::route::Content::Nothing,
            gives: $crate::api::route::Content::Nothing,
        }
    };
}
pub(super) use route;

impl Route {
    pub(super) fn query(self, query: &'static [Parameter]) -> Route {
        Route { query, ..self }
    }

    pub(super) fn takes<T: ToSchema>(self) -> Route {
        Route { takes: Content::Json(SchemaOf::of::<T>()), ..self }
    }

    pub(super) fn gives<T: ToSchema>(self) -> Route {
        Route { gives: Content::Json(SchemaOf::of::<T>()), ..self }
    }

    pub(super) fn takes_file(self) -> Route {
        Route { takes: Content::File, ..self }
    }

    pub(super) fn gives_file(self) -> Route {
        Route { gives: Content::File, ..self }
    }

    /// The names in braces of the path.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) says: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Both ends included.
    Integer {
        least: i64,
        most: i64,
    },
    OneOf(&'static [&'static str]),
}

impl Parameter {
    pub(super) const fn text(name: &'static str, says: &'static str) -> Parameter {
        Parameter { name, kind: Kind::Text, required: false, says }
    }

    pub(super) const fn integer(name: &'static str, least: i64, most: i64, says: &'static str) -> Parameter {
        Parameter { name, kind: Kind::Integer { least, most }, required: false, says }
    }

    pub(super) const fn one_of(name: &'static str, values: &'static [&'static str], says: &'static str) -> Parameter {
        Parameter { name, kind: Kind::OneOf(values), required: false, says }
    }

    pub(super) const fn required(self) -> Parameter {
        Parameter { required: true, ..self }
    }
}
