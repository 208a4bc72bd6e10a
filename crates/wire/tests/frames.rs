//! Real frames against both decoders and the encoder.

#![allow(clippy::unwrap_used)] // Clippy takes only the tests themselves for tests, not their helpers.

use crate::common::{Exchange, Kind, exchanges, kinds};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value as Json};
use wire::spans::{self, SpanOf, Spans, Value};
use wire::{Reader, Tags, decode_request_header};

fn request_of(exchange: &Exchange) -> Kind {
    kinds()[format!("{}Request", exchange.name).as_str()]
}

fn response_of(exchange: &Exchange) -> Kind {
    kinds()[format!("{}Response", exchange.name).as_str()]
}

fn is_spare(exchange: &Exchange) -> bool {
    exchange.request_json.is_null()
}

#[test]
fn requests_come_out_as_they_went_in() {
    for exchange in exchanges() {
        let (header, mut body) = decode_request_header(exchange.request.clone()).unwrap();
        assert_eq!(header.api_key, exchange.api_key);
        assert_eq!(header.api_version, exchange.version);
        assert_eq!(header.correlation_id, exchange.correlation_id);
        assert_eq!(header.client_id.as_deref(), exchange.client_id.as_deref());
        let body = body.rest();
        let (again, spare) = (request_of(&exchange).echo)(body.clone(), exchange.version).unwrap();
        assert_eq!(
            [again, spare.clone()].concat(),
            body,
            "{} {}",
            exchange.name,
            exchange.version
        );
        // librdkafka sends three spare zeros with one request (tests/vectors/README.md).
        assert_eq!(
            spare.len(),
            if is_spare(&exchange) { 3 } else { 0 },
            "{}",
            exchange.name
        );
    }
}

#[test]
fn responses_come_out_as_they_went_in() {
    for exchange in exchanges() {
        let Some(frame) = exchange.response.clone() else {
            continue;
        };
        let kind = response_of(&exchange);
        let version = exchange.response_version;
        let mut r = Reader::new(frame);
        assert_eq!(r.i32().unwrap(), exchange.correlation_id);
        if (kind.is_flexible)(version) && exchange.api_key != 18 {
            assert_eq!(r.uvarint().unwrap(), 0, "no tagged fields in the header");
        }
        let body = r.rest();
        let (again, spare) = (kind.echo)(body.clone(), version).unwrap();
        assert_eq!(again, body, "{} {version}", exchange.name);
        assert!(spare.is_empty());
    }
}

#[test]
fn spans_tell_what_kafka_decoded() {
    for exchange in exchanges() {
        let spans = spans::decode(SpanOf::Request, &exchange.request);
        assert_eq!(spans.error, None);
        covers(&spans, &exchange.request);
        if !is_spare(&exchange) {
            let json = body_json(&spans, &exchange.request);
            assert_same(&json, &exchange.request_json, &exchange.name);
        }
        let Some(frame) = &exchange.response else {
            continue;
        };
        let spans = spans::decode(
            SpanOf::Response {
                api_key: exchange.api_key,
                version: exchange.response_version,
            },
            frame,
        );
        assert_eq!(spans.error, None);
        covers(&spans, frame);
        assert_same(
            &body_json(&spans, frame),
            &exchange.response_json,
            &exchange.name,
        );
    }
}

#[test]
fn spare_bytes_are_accepted_and_named() {
    for exchange in exchanges() {
        let mut longer = BytesMut::from(&exchange.request[..]);
        longer.put_bytes(0, 3);
        let longer = longer.freeze();
        let spans = spans::decode(SpanOf::Request, &longer);
        covers(&spans, &longer);
        let last = spans.spans.last().unwrap();
        assert_eq!(
            (last.name, last.end as usize),
            (spans::SPARE_BYTES, longer.len())
        );
        let (_, mut body) = decode_request_header(longer).unwrap();
        let left = (request_of(&exchange).decode)(body.rest(), exchange.version).unwrap();
        assert_eq!(left, if is_spare(&exchange) { 6 } else { 3 });
    }
}

#[test]
fn a_frame_cut_short_is_refused_and_still_covered() {
    for exchange in exchanges()
        .iter()
        .filter(|e| e.request.len() < 300 && !is_spare(e))
    {
        for len in 0..exchange.request.len() {
            let cut = exchange.request.slice(..len);
            let spans = spans::decode(SpanOf::Request, &cut);
            covers(&spans, &cut);
            assert!(spans.error.is_some(), "{} cut at {len}", exchange.name);
            let decoded = decode_request_header(cut).and_then(|(_, mut body)| {
                (request_of(exchange).decode)(body.rest(), exchange.version)
            });
            assert!(decoded.is_err(), "{} cut at {len}", exchange.name);
        }
    }
}

#[test]
fn defaults_survive_in_every_version() {
    for kind in kinds().values() {
        for version in kind.min..=kind.max {
            match (kind.default_survives)(version) {
                Ok(same) => assert!(same, "{} {version}", kind.name),
                // Records are null by default, which not all versions allow.
                Err(wire::Unencodable::Field(field)) => {
                    assert!(
                        field.ends_with("Records"),
                        "{} {version}: {field}",
                        kind.name
                    );
                }
                Err(error) => panic!("{} {version}: {error}", kind.name),
            }
        }
    }
}

#[test]
fn tagged_fields_nobody_knows_are_sent_on() {
    let mut tags = Tags::NONE;
    tags.push(70_000, Bytes::from_static(b"later"));
    tags.push(9, Bytes::new());
    let request = wire::metadata_request::MetadataRequest {
        tags: tags.clone(),
        ..Default::default()
    };
    let header = wire::RequestHeader {
        api_key: 3,
        api_version: 12,
        ..Default::default()
    };
    let frame = wire::encode_request(&header, &request).unwrap();
    let (_, mut body) = decode_request_header(frame.clone()).unwrap();
    let back: wire::messages::MetadataRequest = wire::Message::decode(&mut body, 12).unwrap();
    assert_eq!(back.tags, tags);
    assert_eq!(wire::encode_request(&header, &back).unwrap(), frame);
    covers(&spans::decode(SpanOf::Request, &frame), &frame);
}

/// Leaves lie end to end over the whole frame, and parents around them.
fn covers(spans: &Spans, frame: &Bytes) {
    let mut at = 0;
    for leaf in spans.leaves() {
        assert_eq!(leaf.start, at, "{leaf:?}");
        assert!(
            leaf.start <= leaf.content && leaf.content <= leaf.end,
            "{leaf:?}"
        );
        at = leaf.end;
    }
    assert_eq!(at as usize, frame.len());
    let mut around: Vec<&spans::Span> = Vec::new();
    for span in &spans.spans {
        around.truncate(usize::from(span.depth));
        assert_eq!(around.len(), usize::from(span.depth), "{span:?}");
        assert!(
            around
                .iter()
                .all(|a| a.start <= span.start && span.end <= a.end),
            "{span:?}"
        );
        around.push(span);
    }
}

/// The message's fields as the recordings write them: the header is the first span at depth 0, the body
/// the second.
fn body_json(spans: &Spans, frame: &Bytes) -> Json {
    let mut roots = (0..spans.spans.len()).filter(|&at| spans.spans[at].depth == 0);
    let body = roots.nth(1).unwrap();
    json(spans, body, frame).0
}

/// The value of span number `at`, and the number of the span after it and its children.
fn json(spans: &Spans, at: usize, frame: &Bytes) -> (Json, usize) {
    let span = &spans.spans[at];
    let content = &frame[span.content as usize..span.end as usize];
    let value = match span.value {
        Value::Null => Json::Null,
        Value::Int(n) if span.kind == spans::Kind::Bool => Json::from(n != 0),
        Value::Int(n) => Json::from(n),
        Value::Float => Json::from(f64::from_bits(u64::from_be_bytes(
            content.try_into().unwrap(),
        ))),
        Value::Text => Json::from(std::str::from_utf8(content).unwrap()),
        Value::Bytes => Json::from(
            content
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>(),
        ),
        Value::Uuid => Json::from(uuid_text(content)),
        Value::Array(_) => return array(spans, at, frame),
        Value::Struct => {
            let mut object = Map::new();
            let next = fields(spans, at, frame, &mut object);
            return (Json::Object(object), next);
        }
    };
    (value, at + 1)
}

fn array(spans: &Spans, at: usize, frame: &Bytes) -> (Json, usize) {
    let depth = spans.spans[at].depth;
    let mut values = Vec::new();
    let mut next = at + 2;
    while spans.spans.get(next).is_some_and(|s| s.depth > depth) {
        assert_eq!(spans.spans[next].index, Some(values.len() as u32));
        let (value, after) = json(spans, next, frame);
        values.push(value);
        next = after;
    }
    assert_eq!(spans.spans[at].value, Value::Array(values.len() as u32));
    (Json::Array(values), next)
}

/// Adds the fields of the struct or tagged fields at `at`.
fn fields(spans: &Spans, at: usize, frame: &Bytes, object: &mut Map<String, Json>) -> usize {
    use spans::Kind;
    let depth = spans.spans[at].depth;
    let mut next = at + 1;
    while let Some(span) = spans.spans.get(next).filter(|s| s.depth > depth) {
        next = match span.kind {
            Kind::Count | Kind::Presence | Kind::Tag | Kind::Size => next + 1,
            Kind::Tags => fields(spans, next, frame, object),
            _ => {
                let (value, after) = json(spans, next, frame);
                object.insert(span.name.to_owned(), value);
                after
            }
        };
    }
    next
}

/// As the recordings write it.
fn uuid_text(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// Compares, and names the first field that differs.
#[track_caller]
fn assert_same(ours: &Json, theirs: &Json, what: &str) {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) => {
            let names = |o: &Map<String, Json>| o.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(a), names(b), "{what}");
            for (name, value) in a {
                assert_same(value, &b[name], &format!("{what}.{name}"));
            }
        }
        (Json::Array(a), Json::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{what}");
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                assert_same(a, b, &format!("{what}[{at}]"));
            }
        }
        _ => assert_eq!(ours, theirs, "{what}"),
    }
}
