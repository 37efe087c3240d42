use std::sync::Arc;
use std::time::Duration;

use stele_app::{NewModel, NewWebhook, SecretKey, Translation, WebhookChange, WebhookSettings};
use stele_domain::search::Window;
use stele_domain::webhook::{DeliveryStatus, Event, Subscription, Webhook, WebhookStatus};
use stele_domain::{Error, Kind};
use stele_testkit::{TestApp, apps};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

const TRANSLATION: Translation =
    Translation { translate, id_header: "x-id", timestamp_header: "x-time", signature_header: "x-signature" };

fn translate(event: &Event) -> Option<(String, String)> {
    (event.action == "model.create").then(|| ("model.made".to_owned(), format!("made {};", event.object)))
}

/// Answers with the statuses given and then with 200; keeps the requests.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<String>>>,
}

async fn receiver(mut answers: Vec<u16>) -> Receiver {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let got: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&got);
    answers.reverse();
    let answers = Arc::new(Mutex::new(answers));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b";") {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    request.extend_from_slice(&part[..read]);
                }
                kept.lock().await.push(String::from_utf8(request).unwrap());
                let status = answers.lock().await.pop().unwrap_or(200);
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    Receiver { url, got }
}

impl Receiver {
    /// The bodies, once there are so many.
    async fn wait(&self, count: usize) -> Vec<String> {
        for _ in 0..600 {
            let got = self.got.lock().await;
            if got.len() >= count {
                return got.iter().filter_map(|text| text.split("\r\n\r\n").nth(1).map(str::to_owned)).collect();
            }
            drop(got);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("only {} of {count} requests came", self.got.lock().await.len());
    }
}

fn settings(private_addresses: bool) -> WebhookSettings {
    WebhookSettings {
        schemes: vec!["http".to_owned()],
        private_addresses,
        timeout: Duration::from_secs(5),
        retries: 3,
        key: SecretKey::from_text("a key for tests only").unwrap(),
    }
}

async fn webhook(test: &TestApp, url: &str) -> Webhook {
    let subscription = Subscription { event: "model.made".to_owned(), action: "model.create".to_owned() };
    let new = NewWebhook {
        name: "hook".to_owned(),
        description: None,
        url: url.to_owned(),
        secret: Some("s3cret".to_owned()),
        status: WebhookStatus::Active,
        subscriptions: vec![subscription],
    };
    test.app.webhook_create(&test.ctx, new).await.unwrap()
}

async fn model(test: &TestApp, name: &str) {
    let new = NewModel { name: name.to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&test.ctx, new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliverers_tell_a_webhook_everything_once_and_in_order() {
    for test in apps().await {
        test.app.enable_webhooks(settings(true));
        let receiver = receiver(Vec::new()).await;
        webhook(&test, &receiver.url).await;
        let deliverers = [
            tokio::spawn({
                let app = test.app.clone();
                async move { app.deliver_webhooks(TRANSLATION).await }
            }),
            tokio::spawn({
                let app = test.app.clone();
                async move { app.deliver_webhooks(TRANSLATION).await }
            }),
        ];
        for number in 0..20 {
            model(&test, &format!("m{number}")).await;
        }
        let expected: Vec<String> = (0..20).map(|number| format!("made m{number};")).collect();
        assert_eq!(receiver.wait(20).await, expected, "{}", test.engine);
        deliverers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_holds_the_rest_up_until_it_is_given_up() {
    for test in apps().await {
        test.app.enable_webhooks(settings(true));
        let receiver = receiver(vec![500, 429, 503, 500]).await;
        let hook = webhook(&test, &receiver.url).await;
        let deliverer = tokio::spawn({
            let app = test.app.clone();
            async move { app.deliver_webhooks(TRANSLATION).await }
        });
        model(&test, "first").await;
        model(&test, "second").await;
        for attempts in 1..=4 {
            receiver.wait(attempts).await;
            // Long enough for the end of the attempt to be written.
            tokio::time::sleep(Duration::from_millis(300)).await;
            test.clock.advance(60_000);
        }
        assert_eq!(
            receiver.wait(5).await,
            ["made first;", "made first;", "made first;", "made first;", "made second;"],
            "{}",
            test.engine
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        let log = test.app.webhook_deliveries(&test.ctx, hook.id, Window { offset: 0, limit: 10 }).await.unwrap();
        let log: Vec<_> = log.items.iter().map(|item| (item.status, item.attempts, item.response_status)).collect();
        assert_eq!(log, [(DeliveryStatus::Sent, 1, Some(200)), (DeliveryStatus::Failed, 4, Some(500))]);
        deliverer.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_and_events_are_for_active_webhooks() {
    for test in apps().await {
        test.app.enable_webhooks(settings(true));
        let receiver = receiver(Vec::new()).await;
        let hook = webhook(&test, &receiver.url).await;
        let sealed = hook.secret.clone().unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"s3cret"));
        let off = WebhookChange { status: Some(WebhookStatus::Disabled), ..WebhookChange::default() };
        let changed = test.app.webhook_update(&test.ctx, hook.id.clone(), off).await.unwrap();
        assert_eq!((changed.secret, changed.subscriptions), (hook.secret, hook.subscriptions));
        model(&test, "untold").await;
        let window = Window { offset: 0, limit: 10 };
        assert!(test.app.webhook_deliveries(&test.ctx, hook.id.clone(), window).await.unwrap().items.is_empty());
        test.app.webhook_delete(&test.ctx, hook.id.clone()).await.unwrap();
        let gone = test.app.webhook_get(&test.ctx, hook.id.clone()).await.unwrap_err();
        assert_eq!(gone, Error::not_found(Kind::Webhook, hook.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_public_are_refused() {
    for test in apps().await {
        test.app.enable_webhooks(settings(false));
        for url in ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::ffff:10.0.0.1]/", "ftp://1.1.1.1/"] {
            let refusal = test.app.webhook_address_check(url).await.unwrap_err();
            assert!(matches!(refusal, Error::Invalid { .. }), "{url}: {refusal}");
        }
    }
}
