"""kcat (librdkafka) against the server."""

import os
import shutil
import subprocess

import pytest

KCAT = os.environ.get("KCAT") or shutil.which("kcat") or shutil.which("kafkacat")
pytestmark = pytest.mark.skipif(KCAT is None, reason="kcat is not installed")


def kcat(server, *words, stdin=""):
    command = [KCAT, "-b", server.at, *words]
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_lines_go_in_and_come_out_with_their_offsets(server):
    kcat(server, "-P", "-t", "lines", stdin="one\ntwo\nthree\n")
    found = kcat(server, "-C", "-t", "lines", "-o", "beginning", "-e", "-q", "-f", "%o %s\n")
    assert found == "0 one\n1 two\n2 three\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_comes_back_unchanged(server, codec):
    lines = "".join(f"key{i}:line {i} of a text that compresses well\n" for i in range(2000))
    kcat(server, "-P", "-t", codec, "-z", codec, "-K", ":", stdin=lines)
    found = kcat(server, "-C", "-t", codec, "-o", "beginning", "-e", "-q", "-K", ":")
    assert found == lines


def test_an_idempotent_producer_is_taken(server):
    lines = "".join(f"{i}\n" for i in range(5000))
    kcat(server, "-P", "-t", "once", "-X", "enable.idempotence=true", stdin=lines)
    assert kcat(server, "-C", "-t", "once", "-o", "beginning", "-e", "-q") == lines


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_each_kind_of_acknowledgement_works(server, acks):
    kcat(server, "-P", "-t", "acks", "-X", f"acks={acks}", stdin="a\nb\n")
    # With acks=0 the producer is done before the broker may have been.
    found = kcat(server, "-C", "-t", "acks", "-o", "beginning", "-c", "2", "-q")
    assert found == "a\nb\n"


def test_metadata_names_broker_topics_and_partitions(server):
    kcat(server, "-P", "-t", "shown", stdin="x\n")
    shown = kcat(server, "-L")
    assert f"broker 1 at {server.at} (controller)" in shown
    assert 'topic "shown" with 1 partitions' in shown
    assert "partition 0, leader 1, replicas: 1, isrs: 1" in shown


def test_offsets_are_found_by_time_and_from_the_end(server):
    kcat(server, "-P", "-t", "ends", stdin="a\nb\nc\n")
    assert "ends [0] offset 0" in kcat(server, "-Q", "-t", "ends:0:-2")
    assert "ends [0] offset 3" in kcat(server, "-Q", "-t", "ends:0:-1")
    assert kcat(server, "-C", "-t", "ends", "-o", "-1", "-e", "-q") == "c\n"


def test_a_balanced_consumer_of_a_group_reads_everything(server):
    lines = "".join(f"{i}\n" for i in range(100))
    kcat(server, "-P", "-t", "grouped", stdin=lines)
    settings = ["-X", "auto.offset.reset=earliest", "-e", "-q"]
    assert kcat(server, *settings, "-G", "readers", "grouped") == lines
    assert kcat(server, *settings, "-G", "readers", "grouped") == "", "all is committed"


def test_what_was_acknowledged_is_there_after_a_kill(serve, tmp_path):
    first = serve(tmp_path)
    kcat(first, "-P", "-t", "kept", stdin="a\nb\n")
    first.kill()
    second = serve(tmp_path)
    assert kcat(second, "-C", "-t", "kept", "-o", "beginning", "-e", "-q") == "a\nb\n"


def test_a_transactional_producer_hears_at_once_and_for_good_that_there_are_no_transactions(server):
    command = [KCAT, "-b", server.at, "-P", "-t", "never", "-X", "transactional.id=t"]
    ended = subprocess.run(command, input="one\n", capture_output=True, text=True, timeout=20)
    assert ended.returncode != 0
    assert "This broker has no transactions yet" in ended.stderr
