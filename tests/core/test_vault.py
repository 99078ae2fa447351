from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from core.errors import SettingsInvalid
from core.settings import Settings
from core.vault import Vault, open_vault

OLD, NEW = "o" * 32, "n" * 32


def test_what_is_sealed_opens_again_at_its_place() -> None:
    vault = Vault([OLD])
    assert vault.open(vault.seal(b"value", "table.column:1"), "table.column:1") == b"value"


def test_a_value_that_was_moved_to_another_row_does_not_open() -> None:
    vault = Vault([OLD])
    sealed = vault.seal(b"value", "connections.values:a")
    with pytest.raises(ValueError, match="another place"):
        vault.open(sealed, "connections.values:b")


def test_a_changed_value_does_not_open() -> None:
    vault = Vault([OLD])
    sealed = bytearray(vault.seal(b"value", "place"))
    sealed[-5] ^= 1
    with pytest.raises(ValueError, match="no secret key"):
        vault.open(bytes(sealed), "place")


def test_after_a_rotation_the_old_key_still_opens_and_the_new_one_seals() -> None:
    sealed = Vault([OLD]).seal(b"value", "place")
    rotated = Vault([NEW, OLD])
    assert rotated.open(sealed, "place") == b"value"
    assert Vault([NEW]).open(rotated.seal(b"newer", "place"), "place") == b"newer"


def test_a_value_under_a_key_that_was_removed_does_not_open() -> None:
    sealed = Vault([OLD]).seal(b"value", "place")
    with pytest.raises(ValueError, match="no secret key"):
        Vault([NEW]).open(sealed, "place")


def test_a_vault_does_not_print_its_keys() -> None:
    assert OLD not in repr(Vault([OLD]))


def test_signing_keys_differ_by_purpose_and_stand_oldest_first() -> None:
    vault = Vault([NEW, OLD])
    assert vault.signing_keys("form") == [*Vault([OLD]).signing_keys("form"), *Vault([NEW]).signing_keys("form")]
    assert set(vault.signing_keys("form")).isdisjoint(vault.signing_keys("onward"))


def test_without_a_key_one_is_made_that_only_the_owner_reads_and_that_stays(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    sealed = open_vault(settings).seal(b"value", "place")
    assert open_vault(settings).open(sealed, "place") == b"value"
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_those_who_start_at_the_same_moment_have_the_same_key(tmp_path: Path) -> None:
    for round_ in range(20):
        settings, together = Settings(data_dir=tmp_path / str(round_)), Barrier(8)

        def start(_: int, settings: Settings = settings, together: Barrier = together) -> Vault:
            together.wait()
            return open_vault(settings)

        with ThreadPoolExecutor(8) as pool:
            vaults = list(pool.map(start, range(8)))
        sealed = vaults[0].seal(b"value", "place")
        assert [vault.open(sealed, "place") for vault in vaults] == [b"value"] * 8
        assert [each.name for each in settings.data_dir.iterdir()] == ["secret.key"]


def test_an_emptied_key_file_stops_the_start_instead_of_being_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("\n")
    with pytest.raises(SettingsInvalid, match="restore it"):
        open_vault(Settings(data_dir=tmp_path))
