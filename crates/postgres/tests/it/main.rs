//! Connections to a real server, which `scripts/postgres.sh` starts with TLS.

use postgres::Client;
use stele_domain::{Error, Result};
use stele_postgres::{Connected, Server, SslMode};

/// What the cluster offers, or nothing where there is none.
struct Cluster {
    port: u16,
    /// The folder of certificates.
    tls: String,
}

impl Cluster {
    fn here() -> Option<Cluster> {
        let url = std::env::var("STELE_TEST_POSTGRES").ok()?;
        let tls = std::env::var("STELE_TEST_POSTGRES_TLS").ok()?;
        let port = url::Url::parse(&url).ok().and_then(|url| url.port()).expect("a URL with a port");
        Some(Cluster { port, tls })
    }

    fn url(&self, user: &str, host: &str, query: &str) -> String {
        format!("postgres://{user}@{host}:{}/postgres?{}", self.port, query.replace("TLS", &self.tls))
    }

    fn connect(&self, user: &str, host: &str, query: &str) -> Result<(Client, Connected)> {
        let server = Server::parse(&self.url(user, host, query))?;
        let mut client = server.connect()?;
        let connected = server.connected(&mut client)?;
        Ok((client, connected))
    }

    fn how(&self, host: &str, query: &str) -> (Option<String>, SslMode) {
        let (_, connected) = self.connect("stele", host, query).unwrap_or_else(|e| panic!("{host}, {query}: {e}"));
        (connected.tls, connected.mode)
    }

    fn refusal(&self, host: &str, query: &str) -> String {
        match self.connect("stele", host, query) {
            Err(Error::Unavailable { message } | Error::Invalid { message }) => message,
            Err(other) => panic!("{host}, {query}: {other:?}"),
            Ok((_, connected)) => panic!("{host}, {query}: {connected:?}"),
        }
    }

    /// Makes a role that may log in; a test that runs at the same time may have made it.
    fn role(&self, name: &str) {
        let (mut client, _) = self.connect("stele", "127.0.0.1", "").expect("the cluster answers");
        let made = client.batch_execute(&format!("CREATE ROLE {name} LOGIN"));
        let found = client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&name]).expect("roles can be read");
        assert_eq!(found.len(), 1, "{made:?}");
    }
}

fn tls() -> Option<String> {
    Some("TLSv1.3".to_owned())
}

#[test]
fn every_mode_asks_for_what_it_means() {
    let Some(cluster) = Cluster::here() else { return };
    assert_eq!(cluster.how("127.0.0.1", "sslmode=disable"), (None, SslMode::Disable));
    assert_eq!(cluster.how("127.0.0.1", "sslmode=allow"), (None, SslMode::Allow));
    assert_eq!(cluster.how("127.0.0.1", ""), (tls(), SslMode::Prefer));
    assert_eq!(cluster.how("127.0.0.1", "sslmode=require"), (tls(), SslMode::Require));
    let by_ca = "sslrootcert=TLS/ca.crt";
    assert_eq!(cluster.how("127.0.0.1", &format!("sslmode=require&{by_ca}")), (tls(), SslMode::VerifyCa));
    assert_eq!(cluster.how("127.0.0.1", &format!("sslmode=verify-ca&{by_ca}")), (tls(), SslMode::VerifyCa));
    assert_eq!(cluster.how("localhost", &format!("sslmode=verify-full&{by_ca}")), (tls(), SslMode::VerifyFull));
    // A server's own certificate may be named instead of the authority that signed it.
    let by_itself = "sslmode=verify-full&sslrootcert=TLS/server.crt";
    assert_eq!(cluster.how("localhost", by_itself), (tls(), SslMode::VerifyFull));
}

#[test]
fn a_server_that_may_be_another_is_refused() {
    let Some(cluster) = Cluster::here() else { return };
    for mode in ["require", "verify-ca", "verify-full"] {
        let told = cluster.refusal("localhost", &format!("sslmode={mode}&sslrootcert=TLS/other-ca.crt"));
        assert!(told.contains("signed by no authority in sslrootcert") && told.contains("other-ca.crt"), "{told}");
    }
    let told = cluster.refusal("localhost", "sslmode=verify-full&sslrootcert=system");
    assert!(told.contains("signed by no authority that this machine trusts"), "{told}");
    for roots in ["ca.crt", "server.crt"] {
        let told = cluster.refusal("127.0.0.1", &format!("sslmode=verify-full&sslrootcert=TLS/{roots}"));
        assert!(told.contains("is not for the host '127.0.0.1', but for") && told.contains("localhost"), "{told}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let Some(cluster) = Cluster::here() else { return };
    let told = cluster.refusal("localhost", "sslmode=verify-ca&sslrootcert=/is/not/there.crt");
    assert!(told.contains("sslrootcert /is/not/there.crt cannot be read"), "{told}");
    let told = cluster.refusal("localhost", "sslmode=verify-ca&sslrootcert=TLS/ca.key");
    assert!(told.contains("ca.key holds no certificate"), "{told}");
    let told = cluster.refusal("localhost", "sslmode=require&sslcert=TLS/client.crt&sslkey=TLS/ca.key");
    assert!(told.contains("client.crt does not go with sslkey"), "{told}");
}

#[test]
fn a_client_shows_its_certificate() {
    let Some(cluster) = Cluster::here() else { return };
    cluster.role("certified");
    let shown = "sslmode=verify-full&sslrootcert=TLS/ca.crt&sslcert=TLS/client.crt&sslkey=TLS/client.key";
    let (mut client, _) = cluster.connect("certified", "localhost", shown).unwrap();
    let who: String = client.query_one("SELECT CAST(current_user AS TEXT)", &[]).unwrap().get(0);
    assert_eq!(who, "certified");
    assert!(cluster.connect("certified", "localhost", "sslmode=require").is_err(), "without its certificate");
}

/// The rules of the cluster turn this role away when it comes with TLS.
#[test]
fn who_prefers_tls_goes_without_where_it_is_not_wanted() {
    let Some(cluster) = Cluster::here() else { return };
    cluster.role("plain");
    let (_, connected) = cluster.connect("plain", "127.0.0.1", "sslmode=prefer").unwrap();
    assert_eq!(connected.tls, None);
    assert!(cluster.connect("plain", "127.0.0.1", "sslmode=require").is_err());
}
