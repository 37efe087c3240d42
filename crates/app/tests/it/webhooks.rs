use std::sync::Arc;
use std::time::Duration;

use stele_app::{
    AuditFilter, DeliveryFilter, KeyText, NewModel, NewWebhook, Proof, SecretKey, Told, Translation, Translations,
    WebhookChange, WebhookSettings,
};
use stele_domain::identity::{Role, Scope};
use stele_domain::record::Tag;
use stele_domain::search::Window;
use stele_domain::webhook::{DeliveryStatus, Event, Subscription, Webhook, WebhookFormat, WebhookStatus};
use stele_domain::{Error, Kind};
use stele_testkit::{TestApp, apps};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::visibility::somebody;

fn translations() -> Translations {
    let proof = Proof::Signed {
        id_header: "x-id",
        timestamp_header: "x-time",
        signature_header: "x-signature",
        key: KeyText::Plain,
    };
    let translation = Translation {
        translate: Arc::new(|event, _| translate(event)),
        content_type: "text/plain",
        headers: &[],
        proof,
    };
    Translations::from([(WebhookFormat::Mlflow, translation)])
}

fn translate(event: &Event) -> Option<Told> {
    let (name, body) = match event.action.as_str() {
        "model.create" => ("model.made", format!("made {};", event.object)),
        "model.tag" => ("model.tagged", format!("tagged {};", event.after["value"].as_str()?)),
        _ => return None,
    };
    Some(Told { event: name.to_owned(), body })
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
        format: WebhookFormat::Mlflow,
        secret: Some("s3cret".to_owned()),
        status: WebhookStatus::Active,
        subscriptions: vec![
            subscription,
            Subscription { event: "model.tagged".to_owned(), action: "model.tag".to_owned() },
        ],
    };
    test.app.webhook_create(&test.ctx, new).await.unwrap()
}

async fn model(test: &TestApp, name: &str) {
    let new = NewModel { name: name.to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&test.ctx, new).await.unwrap();
}

async fn tag(test: &TestApp, model: &str, value: &str) {
    let tag = Tag { key: "k".to_owned(), value: value.to_owned() };
    test.app.model_tag_set(&test.ctx, model.to_owned(), tag).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliverers_tell_everything_once_and_each_models_events_in_order() {
    for test in apps().await {
        test.app.enable_webhooks(settings(true));
        let receiver = receiver(Vec::new()).await;
        webhook(&test, &receiver.url).await;
        let deliverers = [
            tokio::spawn({
                let app = test.app.clone();
                async move { app.deliver_webhooks(translations()).await }
            }),
            tokio::spawn({
                let app = test.app.clone();
                async move { app.deliver_webhooks(translations()).await }
            }),
        ];
        for name in ["a", "b"] {
            model(&test, name).await;
        }
        for number in 0..20 {
            tag(&test, "a", &format!("a{number}")).await;
            tag(&test, "b", &format!("b{number}")).await;
        }
        let told = receiver.wait(42).await;
        assert_eq!(told.len(), 42, "{}", test.engine);
        for name in ["a", "b"] {
            let made = format!("made {name};");
            let of_one: Vec<&String> =
                told.iter().filter(|body| **body == made || body.starts_with(&format!("tagged {name}"))).collect();
            let expected: Vec<String> =
                std::iter::once(made.clone()).chain((0..20).map(|number| format!("tagged {name}{number};"))).collect();
            assert_eq!(of_one, expected.iter().collect::<Vec<_>>(), "{}", test.engine);
        }
        deliverers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_holds_up_its_model_alone_until_it_is_given_up_and_can_be_made_again() {
    for test in apps().await {
        test.app.enable_webhooks(settings(true));
        let receiver = receiver(vec![500, 200, 429, 503, 500]).await;
        let hook = webhook(&test, &receiver.url).await;
        model(&test, "first").await;
        tag(&test, "first", "later").await;
        let deliverer = tokio::spawn({
            let app = test.app.clone();
            async move { app.deliver_webhooks(translations()).await }
        });
        receiver.wait(1).await;
        model(&test, "second").await;
        for attempts in 2..=5 {
            receiver.wait(attempts).await;
            // Long enough for the end of the attempt to be written.
            tokio::time::sleep(Duration::from_millis(300)).await;
            test.clock.advance(60_000);
        }
        assert_eq!(
            receiver.wait(6).await,
            ["made first;", "made second;", "made first;", "made first;", "made first;", "tagged later;"],
            "{}",
            test.engine
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        let dead = || DeliveryFilter { status: Some(DeliveryStatus::Failed), limit: 10, ..DeliveryFilter::default() };
        let log = test.app.webhook_delivery_log(&test.ctx, dead()).await.unwrap();
        let [(webhook, given_up)] = &log[..] else { panic!("one is given up: {log:?}") };
        assert_eq!((webhook, given_up.attempts, given_up.response_status), (&hook.id, 4, Some(500)));
        test.app.webhook_redeliver(&test.ctx, given_up.id.clone()).await.unwrap();
        assert_eq!(receiver.wait(7).await.last().map(String::as_str), Some("made first;"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(test.app.webhook_delivery_log(&test.ctx, dead()).await.unwrap(), []);
        assert!(test.app.webhook_redeliver(&test.ctx, "nothing".to_owned()).await.is_err());
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
async fn where_webhooks_go_is_told_to_those_who_could_set_it() {
    for test in apps().await {
        test.app.enable_webhooks(settings(true));
        let secret = "http://ann:pass@127.0.0.1:9/services/T0/B0/secret?token=secret";
        let hook = webhook(&test, secret).await;
        for (role, told) in [(Role::Viewer, "http://127.0.0.1:9"), (Role::Administrator, secret)] {
            let asking = somebody(&test, &[(role, Scope::Workspace("default".to_owned()))]);
            let got = test.app.webhook_get(&asking, hook.id.clone()).await.unwrap();
            let window = Window { offset: 0, limit: 10 };
            let listed = test.app.webhooks_list(&asking, None, window).await.unwrap().items;
            assert_eq!((got.url.as_str(), listed[0].url.as_str()), (told, told), "{role:?}");
        }
        let denials = test.app.audit_list(&test.ctx, AuditFilter::default(), None, 10).await.unwrap().entries;
        assert!(denials.iter().all(|entry| entry.outcome == "done"), "reading is no attempt to change");
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
