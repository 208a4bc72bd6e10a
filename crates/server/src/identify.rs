//! Whose data directory it is, and whether what lies in it belongs together.

use crate::checkpoints::{META_PROPERTIES, dir_name, join, parse_dir, read_small, replace};
use crate::disk::METADATA_DIR;
use crate::files::Files;
use crate::open::Identity;
use crate::settings::Refusal;
use ids::{NodeId, Rng, TopicIdPartition, Uuid};
use log::LogFile;
use log::files::{MetaProperties, decode_partition_metadata};
use metadata::Image;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Directory ids below this one mean something else than a directory (KIP-858).
const RESERVED_DIRECTORIES: u128 = 100;
/// Partitions that a refusal names.
const NAMED_MAX: usize = 5;

/// Reads `meta.properties`, or writes it for a new directory.
pub(crate) fn identify(
    files: &mut dyn Files,
    identity: &Identity,
    rng: &mut Rng,
) -> Result<MetaProperties, Refusal> {
    let path = files.shown(META_PROPERTIES);
    let bytes = match read_small(files, META_PROPERTIES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_without_meta(files, &path)?;
            let meta = identity.new_meta(rng);
            let written = replace(files, "", META_PROPERTIES, &meta.encode(), true);
            written.map_err(|error| Refusal(format!("{path}: {error}")))?;
            return Ok(meta);
        }
        Err(error) => return Err(Refusal(format!("{path}: {error}"))),
    };
    let Some(meta) = MetaProperties::decode(&bytes) else {
        return Err(Refusal(format!(
            "{path}: is damaged or not of version 1: it must have the lines version=1, node.id=…, \
             directory.id=… and cluster.id=…; put it back from a copy, or write it by hand"
        )));
    };
    match identity.node {
        Some(wanted) if wanted != meta.node_id => Err(Refusal(format!(
            "{path}: the directory belongs to node {stored}, and this node's id is {wanted}. If \
             the data was moved here, start it with node.id={stored}; for a new node name an \
             empty directory",
            stored = meta.node_id
        ))),
        _ => Ok(meta),
    }
}

/// A directory with partitions and without `meta.properties` is somebody's.
fn refuse_without_meta(files: &mut dyn Files, path: &str) -> Result<(), Refusal> {
    let dirs = files.dirs().map_err(|error| Refusal(error.to_string()))?;
    let Some(dir) = dirs.iter().find(|dir| parse_dir(dir).is_some()) else {
        return Ok(());
    };
    Err(Refusal(format!(
        "{path}: is missing, though there are partitions ({dir}): put it back from a copy, or \
         write it with the lines version=1, node.id=…, directory.id=… and cluster.id=… of the \
         node that the data is of"
    )))
}

/// Without the metadata log nobody knows which topics the directories are of.
pub(crate) fn refuse_without_metadata(files: &dyn Files, dirs: &[String]) -> Result<(), Refusal> {
    let partition = |dir: &&String| parse_dir(dir).is_some();
    let Some(dir) = dirs.iter().find(partition) else {
        return Ok(());
    };
    Err(Refusal(format!(
        "{}: is missing, though there are partitions ({dir}), and without it nothing says which \
         topics they are of: put it back from a copy, or move the partitions away",
        files.shown(METADATA_DIR)
    )))
}

/// Refuses a directory whose parts are not of one node and one cluster, before anything in it is
/// changed.
pub(crate) fn refuse_strangers(
    files: &mut dyn Files,
    meta: &MetaProperties,
    image: &Image,
) -> Result<(), Refusal> {
    refuse_other_node(files, meta, image)?;
    let unreadable = |error: io::Error| Refusal(error.to_string());
    for (name, _) in files.files("").map_err(unreadable)? {
        if parse_dir(&name).is_some() {
            return Err(Refusal(format!(
                "{}: is a file, and has the name of a partition's directory: move it away",
                files.shown(&name)
            )));
        }
    }
    let dirs = files.dirs().map_err(unreadable)?;
    refuse_other_topics(files, &dirs, image)?;
    refuse_other_places(files, meta, image, &dirs)
}

/// The node that `meta.properties` names must be one that the metadata log has heard of.
fn refuse_other_node(
    files: &dyn Files,
    meta: &MetaProperties,
    image: &Image,
) -> Result<(), Refusal> {
    let known: Vec<String> = image.brokers().keys().map(NodeId::to_string).collect();
    if known.is_empty() || image.brokers().contains_key(&meta.node_id) {
        return Ok(());
    }
    Err(Refusal(format!(
        "{}: says node.id={}, and the metadata log beside it knows only node {}: the file is \
         another node's, or another cluster's. Put the right one back, or write node.id={} there",
        files.shown(META_PROPERTIES),
        meta.node_id,
        known.join(", "),
        known[0],
    )))
}

/// Directories must be of the topics that have their names. One that is not may be left from a
/// topic that was made anew: it is set aside. When none is, they are another cluster's.
fn refuse_other_topics(
    files: &mut dyn Files,
    dirs: &[String],
    image: &Image,
) -> Result<(), Refusal> {
    let (mut own, mut strange) = (0, None);
    for dir in dirs {
        let named = parse_dir(dir).and_then(|(topic, _)| image.topic(topic));
        let Some(topic) = named else {
            continue;
        };
        let path = join(dir, &LogFile::PartitionMetadata.name());
        let bytes = read_small(files, &path).unwrap_or_default();
        match decode_partition_metadata(&bytes) {
            Some(id) if id != topic.id => {
                strange.get_or_insert((files.shown(&path), id, topic));
            }
            None if bytes.iter().any(|byte| *byte != 0) => {
                return Err(Refusal(format!(
                    "{}: is damaged. If the directory is of the topic {} that there is now, \
                     remove the file, and it is written anew; else move the directory away",
                    files.shown(&path),
                    topic.name
                )));
            }
            _ => own += 1,
        }
    }
    match strange {
        Some((path, id, topic)) if own == 0 => Err(Refusal(format!(
            "{path}: is of topic id {id}, and the topic {} has the id {} in the metadata log; \
             nor is any other directory of a topic in there: they are of another cluster. Put \
             back what belongs together, or move the directories away",
            topic.name, topic.id
        ))),
        _ => Ok(()),
    }
}

/// A node with several log directories has some of its partitions elsewhere, and a partition that
/// was being moved between them is not one yet.
fn refuse_other_places(
    files: &dyn Files,
    meta: &MetaProperties,
    image: &Image,
    dirs: &[String],
) -> Result<(), Refusal> {
    let there: BTreeSet<&str> = dirs.iter().map(String::as_str).collect();
    let missing: Vec<(String, Uuid)> = assigned(image, meta.node_id)
        .map(|(name, directory)| (dir_name(&name), directory))
        .filter(|(dir, _)| !there.contains(dir.as_str()))
        .collect();
    let on_the_way: Vec<&String> = dirs.iter().filter(|dir| dir.ends_with("-future")).collect();
    for (dir, _) in &missing {
        let of_it = |other: &&&String| {
            let rest = other.strip_prefix(dir.as_str());
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        if let Some(moving) = on_the_way.iter().find(of_it) {
            return Err(Refusal(format!(
                "{}: {dir} was being moved here from another log directory: move the original \
                 here, or give this one its name",
                files.shown(moving)
            )));
        }
    }
    let elsewhere: Vec<&str> = missing
        .iter()
        .filter(|(_, directory)| {
            u128::from_be_bytes(directory.0) >= RESERVED_DIRECTORIES
                && *directory != meta.directory_id
        })
        .map(|(dir, _)| dir.as_str())
        .collect();
    let shown: Vec<&str> = elsewhere.iter().copied().take(NAMED_MAX).collect();
    match elsewhere.len() {
        0 => Ok(()),
        count => Err(Refusal(format!(
            "{}: {count} partitions of this node are in another log directory ({}{}): Brooklet \
             has one, so move their directories into it",
            files.shown(""),
            shown.join(", "),
            if count > shown.len() { ", …" } else { "" },
        ))),
    }
}

/// The partitions that the metadata gives to a node, each with the log directory it is in there.
pub(crate) fn assigned(
    image: &Image,
    node: NodeId,
) -> impl Iterator<Item = (TopicIdPartition, Uuid)> {
    image.topics().flat_map(move |topic| {
        topic.partitions.iter().filter_map(move |(index, entry)| {
            let at = entry.replicas.iter().position(|replica| *replica == node)?;
            let name = TopicIdPartition {
                topic: Arc::from(&*topic.name),
                topic_id: topic.id,
                partition: *index,
            };
            let directory = entry.directories.get(at).copied().unwrap_or_default();
            Some((name, directory))
        })
    })
}

/// The partitions that the metadata gives to a node, and that are not among those there are.
pub(crate) fn missing(
    image: &Image,
    node: NodeId,
    there: &[TopicIdPartition],
) -> Vec<TopicIdPartition> {
    let there: BTreeSet<&TopicIdPartition> = there.iter().collect();
    let names = assigned(image, node).map(|(name, _)| name);
    names.filter(|name| !there.contains(name)).collect()
}
