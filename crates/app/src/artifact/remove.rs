use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::{ArtifactPath, Error, Result};

use super::ArtifactStorage;

impl ArtifactStorage {
    /// Removes the folder of `owner` that the root `uri` lies in: `mlflow-artifacts:/1/OWNER/artifacts` is all of
    /// `mlflow-artifacts:/1/OWNER`. A root that does not name its owner may hold what belongs to others, and stays.
    pub(crate) async fn remove_root(&self, uri: &str, owner: &str) -> Result<()> {
        let marker = format!("/{owner}");
        let starts = uri.match_indices(&marker).map(|(start, _)| start);
        let is_whole = |start: &usize| matches!(uri[start + marker.len()..].chars().next(), None | Some('/'));
        let Some(parent_end) = starts.filter(is_whole).last() else {
            return Err(Error::invalid("the place does not name its owner, so that it may hold other files as well"));
        };
        if uri.contains(['?', '#']) {
            return Err(Error::invalid("the place has a query"));
        }
        let parent = &uri[..parent_end];
        // Of `mlflow-artifacts:/OWNER` the parent is the root itself.
        let parent = if parent.ends_with(':') { append_to_uri_path(parent, "/")? } else { parent.to_owned() };
        let (blobs, base) = self.root(&parent).await?;
        blobs.delete(&base.join(&ArtifactPath::parse_file(owner)?)).await
    }
}
