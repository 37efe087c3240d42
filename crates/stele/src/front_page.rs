//! What a person sees who opens the address of the server.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

/// MLflow's clients print links such as `/#/experiments/0/runs/..`, which are places in its pages. Only the browser
/// knows what follows the `#`.
const FOLLOW: &str = "if(location.hash.startsWith('#/'))location.replace(document.links[0].href+location.hash)";

/// Nothing runs in the page but [`FOLLOW`], which is named by its SHA-256.
const POLICY: &str = "default-src 'none'; script-src 'sha256-z7/ThcWpNvr7yPeJd1SQrlvCb4blVUoMT4/0nDAgq74='; \
                      style-src 'unsafe-inline'; frame-ancestors 'self'";

/// The page, which links to MLflow's pages if they are served.
pub(crate) fn router(prefix: &str, with_mlflow_ui: bool) -> Router {
    let links = if with_mlflow_ui {
        format!("<p><a href=\"{prefix}{}\">MLflow's web pages</a></p><script>{FOLLOW}</script>", crate::mlflow_ui::ROOT)
    } else {
        "<p>MLflow's web pages are shown here when the server finds an MLflow package (<code>--mlflow-ui</code>).</p>"
            .to_owned()
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Stele</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>\
         <h1>Stele</h1><p>Version {} of a server that keeps one record of a team's machine-learning work. \
         MLflow clients find it at this address.</p>{links}",
        env!("CARGO_PKG_VERSION"),
    );
    Router::new().route(
        "/",
        get(|| async {
            ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-cache")], Html(page))
                .into_response()
        }),
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_names_the_script() {
        let hash = STANDARD.encode(Sha256::digest(FOLLOW));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
    }
}
