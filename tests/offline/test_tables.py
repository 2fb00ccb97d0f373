from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offline.tables import TrialTable, common_spec, digest_of, load_tables
from rtasmr.errors import DataError
from rtasmr.types import TrialId


def assert_equal(found: TrialTable, expected: TrialTable) -> None:
    for name in ("values", "valid", "rating", "preroll_values", "preroll_valid", "time_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    assert (found.trial, found.spec, found.simulated) == (expected.trial, expected.spec, expected.simulated)


def test_tables_come_back_as_written_by_participant_and_video(make_table, tmp_path):
    written = [make_table(TrialId(21, "vid3"), 507), make_table(TrialId(4, "vid8"))]
    paths = [table.save(tmp_path) for table in written]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "trials/021_vid3.npz",
        "trials/004_vid8.npz",
    ]
    first, second = load_tables(tmp_path)
    assert_equal(first, written[1])
    assert_equal(second, written[0])


def test_the_file_holds_what_other_tools_need(make_table, tmp_path, small_spec):
    table = make_table(TrialId(21, "vid3"), 507)
    with np.load(table.save(tmp_path), allow_pickle=False) as file:
        assert file["values"].shape == (507, 5)
        assert tuple(file["names"]) == small_spec.names
        assert str(file["feature_set"]) == "live"
        assert str(file["fingerprint"]) == small_spec.fingerprint
        np.testing.assert_allclose(file["time_s"], np.linspace(5.0, 55.6, 507))


def test_label_is_a_rating_from_1_on_during_asmr_only(make_table):
    asmr, nature = make_table(TrialId(1, "vid4")), make_table(TrialId(1, "vid5"))
    np.testing.assert_array_equal(asmr.label, asmr.rating >= 1)
    assert asmr.label.any()
    assert nature.rating.any()
    assert not nature.label.any()


def test_sequence_starts_with_the_warm_up(make_table):
    table = make_table(TrialId(1, "vid1"), 507)
    values, valid = table.sequence
    assert values.shape == valid.shape == (557, 5)
    np.testing.assert_array_equal(values[:50], table.preroll_values)
    np.testing.assert_array_equal(values[50:], table.values)


def test_digest_names_the_content_not_the_order(make_table):
    one, two = make_table(TrialId(1, "vid1")), make_table(TrialId(2, "vid1"))
    assert digest_of([one, two]) == digest_of([two, one])
    values, rating, valid = one.values.copy(), one.rating.copy(), one.valid.copy()
    values[5, 1] += 1
    rating[5] = 3
    valid[5, 1] = False
    for changed in (
        replace(one, values=values),
        replace(one, rating=rating),
        replace(one, valid=valid),
        replace(one, simulated=False),
    ):
        assert changed.digest != one.digest
    invalid, other_filler = replace(one, valid=valid), replace(one, values=values, valid=valid)
    assert invalid.digest == other_filler.digest  # what stands in an invalid place is no content


def test_arrays_that_do_not_fit_are_refused(make_table):
    table = make_table(TrialId(1, "vid1"))
    with pytest.raises(
        DataError, match=r"001_vid1: expected valid of shape \(550, 5\) and type bool, got \(549, 5\)"
    ):
        replace(table, valid=table.valid[1:])
    with pytest.raises(DataError, match=r"expected values of .* float32, got .* float64"):
        replace(table, values=table.values.astype(np.float64))


def test_numbers_that_are_none_are_refused_where_valid(make_table):
    table = make_table(TrialId(1, "vid1"))
    values = table.values.copy()
    values[7, 2] = np.inf
    with pytest.raises(DataError, match="got inf in 'mfcc_01' at frame 7"):
        replace(table, values=values)


def test_damaged_and_foreign_files_are_refused(make_table, tmp_path):
    path = make_table(TrialId(1, "vid1")).save(tmp_path)
    whole = path.read_bytes()
    for n_bytes in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(DataError, match="not a readable feature table"):
            load_tables(tmp_path)
    path.write_bytes(whole)
    path.rename(path.with_name("first.npz"))
    with pytest.raises(DataError, match=r"named like 021_vid3\.npz, got first\.npz"):
        load_tables(tmp_path)


def test_a_table_that_needs_unpickling_is_refused(make_table, tmp_path):
    path = make_table(TrialId(1, "vid1")).save(tmp_path)
    with np.load(path) as file:
        content = dict(file)
    np.savez(path, **{**content, "rating": np.array([print], dtype=object)})
    with pytest.raises(DataError, match="not a readable feature table"):
        TrialTable.load(path)


def test_a_wrong_fingerprint_is_refused(make_table, tmp_path):
    path = make_table(TrialId(1, "vid1")).save(tmp_path)
    with np.load(path) as file:
        content = dict(file)
    np.savez(path, **{**content, "fingerprint": np.array("0" * 64)})
    with pytest.raises(DataError, match="found 000000000000"):
        TrialTable.load(path)


def test_tables_of_two_feature_sets_do_not_mix(make_table, small_spec, tmp_path):
    make_table(TrialId(1, "vid1")).save(tmp_path)
    make_table(TrialId(1, "vid2"), spec=replace(small_spec, version=small_spec.version + 1)).save(tmp_path)
    with pytest.raises(DataError, match=r"expected one feature set.*001_vid1.*001_vid2"):
        load_tables(tmp_path)


def test_no_tables_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(DataError, match="offline features"):
        load_tables(tmp_path)
    with pytest.raises(DataError, match="got none"):
        common_spec([])


@pytest.mark.parametrize("rating", [4, 27, -1])
def test_ratings_outside_the_scale_are_refused(make_table, rating):
    table = make_table(TrialId(3, "vid1"), 60)
    wrong = table.rating.copy()
    wrong[7] = rating
    with pytest.raises(DataError, match=r"003_vid1: expected ratings of 0 to 3, got .*compute"):
        replace(table, rating=wrong)
