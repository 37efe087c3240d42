//! Logging in through an identity provider with OpenID Connect: browsers by a code with PKCE, commands by a device code.
//!
//! What a login in progress must remember travels in a sealed cookie, so that any server of a record can end what another
//! one began.

mod pages;
mod provider;
mod settings;

pub(crate) use self::pages::{PATH, router};
pub(crate) use self::provider::Provider;
pub(crate) use self::settings::OidcOptions;
