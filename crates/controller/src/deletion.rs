//! Topics that go.

use crate::controller::Controller;
use crate::topics::{Refusal, refuse};
use alloc::vec::Vec;
use ids::{ErrorCode, Time, Uuid};
use metadata::MetadataRecord;
use sorted::SortedMap;
use wire::Str;
use wire::delete_topics_request::DeleteTopicsRequest;
use wire::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use wire::remove_topic_record::RemoveTopicRecord;

impl Controller {
    /// DeleteTopics (key 20, versions 1–6).
    pub(crate) fn delete_topics(
        &mut self,
        _now: Time,
        version: i16,
        request: &DeleteTopicsRequest,
    ) -> (Vec<MetadataRecord>, DeleteTopicsResponse) {
        let asked: Vec<(Option<Str>, Uuid)> = if version >= 6 {
            request
                .topics
                .iter()
                .map(|topic| (topic.name.clone(), topic.topic_id))
                .collect()
        } else {
            request
                .topic_names
                .iter()
                .map(|name| (Some(name.clone()), Uuid::ZERO))
                .collect()
        };
        let mut records = Vec::new();
        let mut responses: Vec<DeletableTopicResult> = Vec::new();
        let mut times: SortedMap<(Option<&str>, Uuid), u32> = SortedMap::new();
        for (name, id) in &asked {
            *times.entry((name.as_deref(), *id)).or_default() += 1;
        }
        for (name, id) in &asked {
            // What is named twice is answered once.
            let Some(count) = times.remove(&(name.as_deref(), *id)) else {
                continue;
            };
            let twice = count > 1;
            let result = self.deletable(name.as_ref(), *id, twice);
            let mut answer = DeletableTopicResult {
                name: name.clone(),
                topic_id: *id,
                ..DeletableTopicResult::default()
            };
            match result {
                Ok((name, topic_id)) => {
                    answer.name = Some(name);
                    answer.topic_id = topic_id;
                    records.push(MetadataRecord::RemoveTopic(RemoveTopicRecord {
                        topic_id,
                        ..RemoveTopicRecord::default()
                    }));
                }
                Err((code, message)) => {
                    answer.error_code = code.0;
                    answer.error_message = message.map(Str::from);
                }
            }
            responses.push(answer);
        }
        (
            records,
            DeleteTopicsResponse {
                responses,
                ..DeleteTopicsResponse::default()
            },
        )
    }

    fn deletable(&self, name: Option<&Str>, id: Uuid, twice: bool) -> Result<(Str, Uuid), Refusal> {
        let found = match (name, id) {
            (Some(_), id) if id != Uuid::ZERO => {
                return refuse(
                    ErrorCode::INVALID_REQUEST,
                    "You may not specify both topic name and topic id.",
                );
            }
            (None, Uuid::ZERO) => {
                return refuse(
                    ErrorCode::INVALID_REQUEST,
                    "Neither topic name nor id were specified.",
                );
            }
            (Some(_), _) if twice => {
                return refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
            }
            (None, _) if twice => return refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic id."),
            (Some(name), _) => self.image.topic(name),
            (None, id) => self.image.topic_by_id(id),
        };
        match found {
            Some(topic) => Ok((Str::from(&*topic.name), topic.id)),
            None if name.is_some() => refuse(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                "This server does not host this topic-partition.",
            ),
            None => refuse(
                ErrorCode::UNKNOWN_TOPIC_ID,
                "This server does not host this topic ID.",
            ),
        }
    }
}
