"""kafka-python against the server: the experiments of a usual first course, in Python 3."""

import json
import threading
import time

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

PATIENCE = 30


def create(server, topic, partitions=1):
    admin = KafkaAdminClient(bootstrap_servers=server.at)
    admin.create_topics([NewTopic(name=topic, num_partitions=partitions, replication_factor=1)])
    admin.close()


def fill(server, topic, count):
    producer = KafkaProducer(bootstrap_servers=server.at)
    for i in range(count):
        producer.send(topic, str(i).encode())
    producer.flush(timeout=PATIENCE)
    producer.close()


def consumer(server, *topics, **settings):
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 15_000, **settings}
    return KafkaConsumer(*topics, bootstrap_servers=server.at, **settings)


def read_until(opened, offset):
    """Offsets from the first record that comes up to this one."""
    found = []
    for record in opened:
        found.append(record.offset)
        if record.offset >= offset:
            return found
    pytest.fail(f"the records ended after {found[-3:]}, before offset {offset}")


def test_a_producer_sends_numbers_with_key_and_timestamp_and_a_consumer_reads_them(server):
    create(server, "numbers")
    producer = KafkaProducer(bootstrap_servers=server.at)
    begin = int(time.time() * 1000) - 60_000
    for i in range(20):
        sent = producer.send(
            "numbers", value=str(i).encode(), key=b"key", timestamp_ms=begin + i
        ).get(timeout=PATIENCE)
        assert (sent.topic, sent.partition, sent.offset) == ("numbers", 0, i)
        time.sleep(0.02)
    producer.close()
    records = consumer(server, "numbers", group_id=None)
    for i, record in zip(range(20), records):
        assert (record.offset, record.key, record.value) == (i, b"key", str(i).encode())
        assert record.timestamp == begin + i
    records.close()


def test_a_consumer_gets_what_is_produced_while_it_waits(server):
    create(server, "live")
    records = consumer(server, "live", group_id=None, auto_offset_reset="latest")
    while not records.assignment():
        records.poll(timeout_ms=100)
    records.position(TopicPartition("live", 0))
    later = threading.Timer(0.3, fill, (server, "live", 3))
    later.start()
    assert read_until(records, 2) == [0, 1, 2]
    later.join()
    records.close()


def test_headers_and_gzip_and_large_values_come_back_unchanged(server):
    create(server, "shapes")
    producer = KafkaProducer(bootstrap_servers=server.at, compression_type="gzip")
    headers = [("a", b"1"), ("a", b""), ("unicode \u00e4", "\u00fc".encode())]
    large = bytes(range(256)) * 2000
    producer.send("shapes", value=large, headers=headers).get(timeout=PATIENCE)
    producer.send("shapes", value=None, key=b"").get(timeout=PATIENCE)
    producer.close()
    records = consumer(server, "shapes", group_id=None)
    first, second = next(records), next(records)
    assert (first.value, list(first.headers)) == (large, headers)
    assert (second.key, second.value) == (b"", None)
    records.close()


MEMBER = """
import json, sys
from kafka import KafkaConsumer
records = KafkaConsumer(
    "shared", bootstrap_servers=sys.argv[1], group_id="pair", auto_offset_reset="earliest",
    session_timeout_ms=1500, heartbeat_interval_ms=300, auto_commit_interval_ms=200,
    metadata_max_age_ms=1000)
while True:
    batches = records.poll(timeout_ms=200)
    owned = sorted(each.partition for each in records.assignment())
    values = [record.value.decode() for batch in batches.values() for record in batch]
    print(json.dumps([owned, values]), flush=True)
"""


def owning(child, partitions):
    """Reads what a member says until it owns exactly these; the values it has seen by then."""
    seen = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        owned, values = json.loads(child.stdout.readline())
        seen += values
        if owned == partitions:
            return seen
    pytest.fail(f"the member never owned {partitions}")


def test_when_one_of_two_members_is_killed_the_other_takes_over(server, python_child):
    create(server, "shared", partitions=2)
    one = python_child(MEMBER, server.at)
    owning(one, [0, 1])
    two = python_child(MEMBER, server.at)
    deadline = time.monotonic() + PATIENCE
    owned = None
    while owned not in ([0], [1]) and time.monotonic() < deadline:
        owned, _ = json.loads(two.stdout.readline())
    assert owned in ([0], [1])
    owning(one, [1 - owned[0]])
    one.kill()
    owning(two, [0, 1])
    producer = KafkaProducer(bootstrap_servers=server.at)
    for i in range(10):
        producer.send("shared", str(i).encode(), partition=i % 2)
    producer.flush(timeout=PATIENCE)
    producer.close()
    seen = []
    while len(seen) < 10 and time.monotonic() < deadline:
        seen += json.loads(two.stdout.readline())[1]
    assert sorted(seen, key=int) == [str(i) for i in range(10)]


def test_without_auto_commit_a_consumer_begins_at_the_same_offset_each_time(server):
    create(server, "again")
    fill(server, "again", 50)
    for _ in range(3):
        records = consumer(server, "again", group_id="careless", enable_auto_commit=False)
        assert read_until(records, 20) == list(range(21))
        records.close()


def test_with_auto_commit_a_consumer_resumes_after_the_last_record_it_took(server):
    create(server, "resume")
    fill(server, "resume", 830)
    settings = {"group_id": "careful", "enable_auto_commit": True}
    records = consumer(server, "resume", **settings)
    assert read_until(records, 97) == list(range(98))
    records.close()
    records = consumer(server, "resume", **settings)
    assert read_until(records, 829) == list(range(98, 830))
    records.close()
    records = consumer(server, "resume", group_id="another", enable_auto_commit=True)
    assert read_until(records, 829) == list(range(830))
    records.close()


def test_committed_offsets_and_records_survive_a_restart_and_a_kill(serve, tmp_path):
    first = serve(tmp_path)
    create(first, "kept")
    fill(first, "kept", 30)
    records = consumer(first, "kept", group_id="g", enable_auto_commit=False)
    assert read_until(records, 9) == list(range(10))
    records.commit()
    records.close()
    assert first.stop() == 0
    second = serve(tmp_path)
    # This member cannot leave: the next one waits until its session is over.
    short = {"session_timeout_ms": 1000, "heartbeat_interval_ms": 300}
    records = consumer(second, "kept", group_id="g", enable_auto_commit=False, **short)
    assert read_until(records, 19) == list(range(10, 20))
    records.commit()
    second.kill()
    records.close(autocommit=False)
    third = serve(tmp_path)
    records = consumer(third, "kept", group_id="g", enable_auto_commit=False)
    assert read_until(records, 29) == list(range(20, 30))
    records.close()


def test_seek_and_the_offsets_at_both_ends_and_of_a_time(server):
    create(server, "places")
    producer = KafkaProducer(bootstrap_servers=server.at)
    for i in range(10):
        producer.send("places", str(i).encode(), timestamp_ms=1_700_000_000_000 + i * 1000)
        producer.flush(timeout=PATIENCE)
    producer.close()
    place = TopicPartition("places", 0)
    records = consumer(server, group_id=None)
    records.assign([place])
    assert records.beginning_offsets([place]) == {place: 0}
    assert records.end_offsets([place]) == {place: 10}
    assert records.offsets_for_times({place: 1_700_000_004_500})[place].offset == 5
    records.seek(place, 7)
    assert next(records).offset == 7
    records.close()


def test_topics_are_created_listed_and_deleted(server):
    admin = KafkaAdminClient(bootstrap_servers=server.at)
    admin.create_topics([NewTopic(name="a", num_partitions=3, replication_factor=1)])
    assert "a" in admin.list_topics()
    admin.delete_topics(["a"])
    assert "a" not in admin.list_topics()
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics(["a"])
    admin.close()


def test_a_transactional_producer_hears_at_once_and_for_good_that_there_are_no_transactions(server):
    producer = KafkaProducer(
        bootstrap_servers=server.at, transactional_id="t", max_block_ms=PATIENCE * 1000)
    began = time.monotonic()
    with pytest.raises(KafkaError, match="ClusterAuthorizationFailed"):
        producer.init_transactions()
    assert time.monotonic() - began < PATIENCE / 3
