//! Headers, slices of logs, the table of APIs, and what an encoder must refuse.

#![allow(clippy::unwrap_used)] // Clippy takes only the tests themselves for tests, not their helpers.

use crate::common::exchanges;
use bytes::{Bytes, BytesMut};
use wire::api_table::{APIS, api};
use wire::api_versions_response::ApiVersionsResponse;
use wire::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::join_group_request::JoinGroupRequest;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::metadata_request::MetadataRequest;
use wire::sasl_handshake_request::SaslHandshakeRequest;
use wire::{
    FrameError, Malformed, Message, Reader, Records, RequestHeader, SlicePoint, Str, Unencodable,
    Writer, cut_frame, decode_request_header, decode_response, encode_request, encode_response,
    frame_length,
};

#[test]
fn the_table_is_what_kafka_advertises() {
    let exchanges = exchanges();
    let answer = exchanges
        .iter()
        .find(|e| e.api_key == 18 && e.response_version == 3)
        .unwrap();
    let frame = answer.response.clone().unwrap();
    let (_, answer) = decode_response::<ApiVersionsResponse>(frame, 3).unwrap();
    let theirs: Vec<_> = answer
        .api_keys
        .iter()
        .map(|a| (a.api_key, a.min_version, a.max_version))
        .collect();
    let ours: Vec<_> = APIS.iter().map(|a| (a.key, a.min, a.max)).collect();
    assert_eq!(ours, theirs);
    assert_eq!(api(1).unwrap().name, "Fetch");
    assert_eq!(api(4), None);
}

#[test]
fn typed_fields_hold_what_kafka_decoded() {
    let exchanges = exchanges();
    let join = exchanges
        .iter()
        .find(|e| e.name == "JoinGroup" && e.version >= 5)
        .unwrap();
    let (_, mut body) = decode_request_header(join.request.clone()).unwrap();
    let message = JoinGroupRequest::decode(&mut body, join.version).unwrap();
    let json = &join.request_json;
    assert_eq!(message.group_id, json["GroupId"].as_str().unwrap());
    assert_eq!(message.member_id, json["MemberId"].as_str().unwrap());
    assert_eq!(
        i64::from(message.session_timeout_ms),
        json["SessionTimeoutMs"]
    );
    assert_eq!(
        i64::from(message.rebalance_timeout_ms),
        json["RebalanceTimeoutMs"]
    );
    assert_eq!(
        message.protocols.len(),
        json["Protocols"].as_array().unwrap().len()
    );
    assert_eq!(
        message.protocols[0].name,
        json["Protocols"][0]["Name"].as_str().unwrap()
    );
}

#[test]
fn headers_are_flexible_only_where_kafka_has_them_so() {
    let header = |api_key, api_version| RequestHeader {
        api_key,
        api_version,
        correlation_id: 7,
        client_id: Some(Str::from("me")),
    };
    let old = encode_request(&header(17, 1), &SaslHandshakeRequest::default()).unwrap();
    assert_eq!(&old[..], b"\0\x11\0\x01\0\0\0\x07\0\x02me\0\0");
    let new = encode_request(&header(3, 9), &MetadataRequest::default()).unwrap();
    assert_eq!(&new[..15], b"\0\x03\0\x09\0\0\0\x07\0\x02me\0\x01\x01");
    assert_eq!(decode_request_header(new).unwrap().0, header(3, 9));
    let answer = encode_response(7, 18, 3, &ApiVersionsResponse::default()).unwrap();
    assert_eq!(&answer.bytes[..], b"\0\0\0\x07\0\0\x01\0\0\0\0\0");
}

#[test]
fn a_request_from_the_future_still_has_a_header() {
    let frame = Bytes::from_static(b"\0\x12\0\x63\0\0\0\x01\xff\xff\0what may come");
    let (header, mut body) = decode_request_header(frame).unwrap();
    assert_eq!((header.api_key, header.api_version), (18, 99));
    assert_eq!(&body.rest()[..], b"what may come");
    let unknown = Bytes::from_static(b"\x7f\x12\0\0\0\0\0\x01\xff\xff");
    assert_eq!(
        decode_request_header(unknown).unwrap_err(),
        Malformed::UnknownApi(0x7f12)
    );
}

fn fetched(records: [Records; 2]) -> FetchResponse {
    let partitions = records.into_iter().map(|records| PartitionData {
        records,
        ..Default::default()
    });
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: Str::from("t"),
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn slices_leave_gaps_just_where_the_bytes_belong() {
    for version in [11, 12] {
        let gaps = fetched([
            Records::Slice { id: 5, len: 3 },
            Records::Slice { id: 6, len: 200 },
        ]);
        let here = fetched([
            Records::Bytes(Bytes::from_static(b"abc")),
            Records::Bytes(Bytes::from(vec![b'z'; 200])),
        ]);
        let with_gaps = encode_response(1, 1, version, &gaps).unwrap();
        let whole = encode_response(1, 1, version, &here).unwrap();
        assert_eq!(with_gaps.total_len(), whole.total_len());
        let [first, second]: [SlicePoint; 2] = with_gaps.slices.clone().try_into().unwrap();
        assert_eq!((first.id, first.len, second.id, second.len), (5, 3, 6, 200));
        let bytes = &with_gaps.bytes;
        let (first, second) = (first.at as usize, second.at as usize);
        let filled = [
            &bytes[..first],
            b"abc",
            &bytes[first..second],
            &[b'z'; 200],
            &bytes[second..],
        ];
        assert_eq!(filled.concat(), whole.bytes);
    }
}

#[test]
fn what_a_version_cannot_say_is_refused_unless_the_schema_lets_it_go() {
    let null_name = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    assert_eq!(
        null_name.encode(&mut Writer::new(), 0),
        Err(Unencodable::Field("Topics"))
    );
    assert_eq!(null_name.encode(&mut Writer::new(), 1), Ok(()));
    assert_eq!(
        null_name.encode(&mut Writer::new(), 14),
        Err(Unencodable::UnknownVersion(14))
    );
    let mut isolated = ListOffsetsRequest {
        isolation_level: 1,
        topics: vec![ListOffsetsTopic {
            partitions: vec![ListOffsetsPartition {
                current_leader_epoch: 3,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(
        isolated.encode(&mut Writer::new(), 1),
        Err(Unencodable::Field("IsolationLevel"))
    );
    isolated.isolation_level = 0;
    // The leader epoch is ignorable: older brokers do without.
    assert_eq!(isolated.encode(&mut Writer::new(), 1), Ok(()));
    let long = MetadataRequest {
        topics: Some(vec![wire::metadata_request::MetadataRequestTopic {
            name: Some(Str::from("x".repeat(40_000))),
            ..Default::default()
        }]),
        ..Default::default()
    };
    assert_eq!(
        long.encode(&mut Writer::new(), 8),
        Err(Unencodable::TooLong)
    );
    assert_eq!(long.encode(&mut Writer::new(), 9), Ok(()));
}

#[test]
fn a_text_is_no_longer_than_in_kafka_also_where_the_protocol_could_say_more() {
    let read = |length: usize| {
        let mut writer = Writer::new();
        writer.string(true, &Str::from("x".repeat(length)));
        let bytes = writer.into_bytes().unwrap();
        Reader::new(bytes).string(true).map(|text| text.len())
    };
    assert_eq!(read(32_767), Ok(32_767));
    assert_eq!(read(32_768), Err(Malformed::TextTooLong));
}

#[test]
fn broken_lengths_and_tags_are_told_apart() {
    let metadata = |bytes: &'static [u8], version| {
        MetadataRequest::decode(&mut Reader::new(Bytes::from_static(bytes)), version).unwrap_err()
    };
    assert_eq!(metadata(b"\xff\xff\xff\xff", 0), Malformed::UnexpectedNull);
    assert_eq!(metadata(b"\xff\xff\xff\xfe", 1), Malformed::NegativeLength);
    assert_eq!(metadata(b"\0\0\0\x01\0\x02\xc3\x28", 0), Malformed::Utf8);
    assert_eq!(metadata(b"\xff\xff\xff\xff\x7f", 12), Malformed::Varint);
    assert_eq!(metadata(b"\0\0\0\x02\x05\0\x05\0", 12), Malformed::TagOrder);
    let fetch = Bytes::from_static(
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x01\x01\0\x03\0\0\0",
    );
    let error = wire::fetch_request::FetchRequest::decode(&mut Reader::new(fetch), 15).unwrap_err();
    assert_eq!(error, Malformed::TagSize);
}

#[test]
fn frames_come_whole_however_they_were_cut() {
    let wire = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9];
    for cut in 0..wire.len() {
        let mut received = BytesMut::new();
        let mut frames = Vec::new();
        for part in [&wire[..cut], &wire[cut..]] {
            received.extend_from_slice(part);
            while let Some(frame) = cut_frame(&mut received, 2).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames, [&[7, 8][..], &[], &[9]]);
    }
}

#[test]
fn what_is_no_frame_is_told_apart() {
    let heads = [
        (*b"GET ", FrameError::Http),
        (*b"POST", FrameError::Http),
        ([0x16, 3, 1, 2], FrameError::Tls),
        ([0x15, 3, 3, 0], FrameError::Tls),
        ([0xff; 4], FrameError::Negative(-1)),
        (
            1001_i32.to_be_bytes(),
            FrameError::TooLarge {
                length: 1001,
                max: 1000,
            },
        ),
    ];
    for (head, error) in heads {
        assert_eq!(frame_length(head, 1000), Err(error));
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(frame_length(1000_i32.to_be_bytes(), 1000), Ok(1000));
}
