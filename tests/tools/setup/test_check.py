"""What is there of the environment, said without changing anything."""

from tools import setup_environment as setup


def test_check_of_nothing(place, capsys, monkeypatch):
    assert setup.main(["--check"]) == 2
    out, err = capsys.readouterr()
    assert f"python: missing, {place}" in out and "caffe: missing" in out
    assert err == "setup_environment.py: the environment is incomplete; run `make setup`\n"
    assert not place.exists()
