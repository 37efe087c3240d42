//! The examples that AWS publishes for its algorithm.

use axum::http::{HeaderName, HeaderValue};
use stele_domain::id::Timestamp;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn request(method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Request {
    let mut request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    request
}

/// Whether the signature of a header is right.
fn signed(mut request: Request, scope: &str, headers: &str, signature: &str, payload: &str, secret: &str) -> bool {
    let value = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}/aws4_request, SignedHeaders={headers}, Signature={signature}"
    );
    request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
    let claim = Claim::of_header(&value, request.headers()).unwrap();
    let key = signing_key(secret, &claim);
    matches(&request.into_parts().0, &claim, payload, &key)
}

#[test]
fn requests_of_the_published_suite_are_right() {
    let cases: [(&str, &str, &str); 4] = [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("GET", "/./", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ];
    let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
    let scope = "20150830/us-east-1/service";
    for (method, uri, signature) in cases {
        let right = |method: &str, uri: &str, secret: &str| {
            signed(request(method, uri, &headers), scope, "host;x-amz-date", signature, EMPTY, secret)
        };
        assert!(right(method, uri, SECRET), "{method} {uri}");
        assert!(!right("PUT", uri, SECRET) && !right(method, "/other", SECRET) && !right(method, uri, "other"));
    }
}

#[test]
fn the_request_of_the_guide_is_right() {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded;  charset=utf-8 "),
        ("host", "iam.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
    ];
    let request = request("GET", "/?Action=ListUsers&Version=2010-05-08", &headers);
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert!(signed(request, "20150830/us-east-1/iam", "content-type;host;x-amz-date", signature, EMPTY, SECRET));
}

#[test]
fn requests_to_s3_are_right() {
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", EMPTY),
        ("x-amz-date", "20130524T000000Z"),
    ];
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    let names = "host;range;x-amz-content-sha256;x-amz-date";
    assert!(signed(request("GET", "/test.txt", &headers), "20130524/us-east-1/s3", names, signature, EMPTY, secret));

    let uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1\
               %2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
               X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let presigned = request("GET", uri, &headers[..1]);
    let claim = Claim::of_query(presigned.uri().query().unwrap()).unwrap().unwrap();
    let unsigned = Payload::Open("UNSIGNED-PAYLOAD", SignedPayload::Unsigned);
    assert_eq!(payload(&claim, presigned.headers()), Ok(unsigned));
    assert!(matches(&presigned.into_parts().0, &claim, "UNSIGNED-PAYLOAD", &signing_key(secret, &claim)));
    // Half past midnight on 2013-05-24, and a day later.
    assert_eq!(claim.in_time(Timestamp(1_369_355_400_000)), Ok(()));
    assert!(matches!(claim.in_time(Timestamp(1_369_441_800_000)), Err(Refusal::Signature(_))));
}

#[test]
fn what_is_not_signed_or_not_now_is_refused() {
    let headers = [("host", "x"), ("x-amz-date", "20150830T123600Z"), ("x-amz-target", "SageMaker.ListModels")];
    let request = request("POST", "/", &headers);
    let read = |names: &str, scope: &str| {
        let value = format!("AWS4-HMAC-SHA256 Credential=K/{scope}, SignedHeaders={names}, Signature=00");
        Claim::of_header(&value, request.headers())
    };
    let scope = "20150830/us-east-1/sagemaker/aws4_request";
    let claim = read("host;x-amz-date", scope).unwrap();
    assert!(matches!(claim.covers(request.headers()), Err(Refusal::Signature(_))));
    let claim = read("host;x-amz-date;x-amz-target", scope).unwrap();
    assert_eq!(claim.covers(request.headers()), Ok(()));
    let noon = 1_440_938_160_000;
    for (off, good) in [(0, true), (-299_000, true), (299_000, true), (-301_000, false), (301_000, false)] {
        assert_eq!(claim.in_time(Timestamp(noon + off)).is_ok(), good, "{off}");
    }
    for (names, scope) in [
        ("x-amz-date", scope),
        ("host", scope),
        ("", scope),
        ("host;x-amz-date", "20150830/us-east-1/sagemaker"),
        ("host;x-amz-date", "20150830/us-east-1//aws4_request"),
    ] {
        assert!(matches!(read(names, scope), Err(Refusal::Incomplete(_))), "{names} {scope}");
    }
    assert!(matches!(read("host;x-amz-date", "20150831/r/s/aws4_request"), Err(Refusal::Signature(_))));
    let unsigned = self::request("POST", "/", &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]);
    assert!(matches!(payload(&claim, unsigned.headers()), Err(Refusal::Signature(_))));
}

#[tokio::test]
async fn a_body_that_is_another_ends_with_an_error() {
    let parts = |last: &'static str| {
        let parts = ["a", "b", last].map(|part| Ok::<_, std::io::Error>(axum::body::Bytes::from(part)));
        Body::from_stream(futures::stream::iter(parts))
    };
    let expected = hash(b"abc");
    assert_eq!(axum::body::to_bytes(while_read(parts("c"), expected.clone()), 10).await.unwrap(), "abc");
    assert!(axum::body::to_bytes(while_read(parts("x"), expected.clone()), 10).await.is_err());
    assert!(axum::body::to_bytes(while_read(Body::from("abx"), expected.clone()), 10).await.is_err());
    assert!(axum::body::to_bytes(while_read(Body::empty(), expected), 10).await.is_err());
}
