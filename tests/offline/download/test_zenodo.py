"""What a record says it holds, in each form of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from offline.web import Client
from offline.zenodo import read_record
from rtasmr.errors import DataError

if TYPE_CHECKING:
    from tests.offline.download.conftest import Server


@pytest.mark.parametrize("shape", ["zenodo", "invenio", "listing"])
def test_a_record_in_any_of_its_forms(server: Server, client: Client, shape: str) -> None:
    sources = server.publish({"log.zip": b"abc", "ppg.zip": b""}, shape)
    record = read_record(client, sources.record_url)
    assert (record.title, record.doi, record.version) == ("REST-ASMR", "10.5281/zenodo.18881334", "v1")
    assert [(file.name, file.n_bytes, file.checksum) for file in record.files] == [
        ("log.zip", 3, "md5:900150983cd24fb0d6963f7d28e17f72"),  # RFC 1321, A.5
        ("ppg.zip", 0, "md5:d41d8cd98f00b204e9800998ecf8427e"),
    ]
    assert record.files[0].url == f"{server.url}{server.record}/files/log.zip/content"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"<html>", "expected a JSON document"),
        (b"[]", "expected the record as JSON, got list"),
        (b'{"files": {"enabled": false}}', "expected a record with public files, found none"),
        (b'{"files": [{"name": "a"}]}', "expected key, size and checksum of every file"),
        (
            b'{"files": [{"key": "a", "size": 1, "checksum": "md5:../../x"}]}',
            "expected md5:… or sha256:…",
        ),
    ],
)
def test_a_record_that_is_none_is_named(server: Server, client: Client, document: bytes, text: str) -> None:
    server.files[server.record] = document
    with pytest.raises(DataError, match=text):
        read_record(client, server.url + server.record)
