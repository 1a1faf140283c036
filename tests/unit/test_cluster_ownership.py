"""Who may write to folders and files that containers share with this account."""

import os

from cluster.backends.docker.ownership import give_access, give_files


def test_a_missing_folder_is_made_and_a_missing_file_is_not(tmp_path):
    give_access([tmp_path / "store"], os.getuid())
    assert (tmp_path / "store").is_dir()
    (tmp_path / "mlflow.db").touch()
    # A journal that SQLite has removed since the folder was listed: a folder of its name would stop the database.
    give_files([tmp_path / "mlflow.db", tmp_path / "mlflow.db-journal"], os.getuid())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "store"]
