"""The throw-away servers of the tests: how each is made, started, reached and tried."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tools import machine

NAME = "trackmate"  # of the database and of its user
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


class Server:
    """One server with data of its own, on a port of its own, on 127.0.0.1 only."""

    need: machine.Need
    variable: str
    account: str  # whom the server runs as when root starts it, for it refuses to be root
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path, *, port: int, password: str) -> None:
        self.home = home
        self.port = port
        self.password = password

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the data that the server starts from; the home exists and is the account's."""

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> int:
        """Make its home, start it so that it outlives this process, and return its process id."""
        self.home.mkdir(mode=0o700)
        if self._as_account:
            shutil.chown(self.home, self.account, self.account)
        self.prepare()
        return self.launch()

    def launch(self) -> int:
        """Start it from the data in its home, and return its process id."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
                **self._as_account,
            )
        return process.pid

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    @property
    def _as_account(self) -> dict:
        if not machine.is_root():
            return {}
        return {"user": self.account, "group": self.account, "extra_groups": []}

    def _run(self, *command: str | Path, text: str = "") -> None:
        with self.log.open("ab") as log:
            subprocess.run(
                command,
                input=text.encode(),
                stdout=log,
                stderr=log,
                cwd=self.home,
                check=True,
                **self._as_account,
            )

    def _succeeds(self, *command: str | Path, **environment: str) -> bool:
        environment = os.environ | environment
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        return done.returncode == 0


class Postgres(Server):
    need = machine.POSTGRES
    variable = "TRACKMATE_TEST_POSTGRES_URL"
    account = "postgres"
    stop_signal = signal.SIGINT  # after a SIGTERM it waits until the last client has gone

    @property
    def url(self) -> str:
        return f"postgres://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    def prepare(self) -> None:
        password_file = self.home / "password"
        password_file.write_text(self.password)
        if self._as_account:
            shutil.chown(password_file, self.account)
        # md5, because a SCRAM handshake costs milliseconds for each of the tests' many connections.
        options = ["--auth=md5", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        options += [f"--locale={LOCALE}", f"--username={NAME}", f"--pwfile={password_file}"]
        self._run(self._bin("initdb"), *options, "-D", self._data)
        create = f"CREATE DATABASE {NAME}\n"
        self._run(self._bin("postgres"), "--single", "-D", self._data, "postgres", text=create)

    @property
    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin("postgres")), "-D", str(self._data), "-p", str(self.port), *options]

    def answers(self) -> bool:
        return self._succeeds(self._bin("psql"), self.url, "-c", "SELECT 1")

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _bin(self, name: str) -> Path:
        folder = self.need.find()
        return folder / name


class MariaDB(Server):
    need = machine.MARIADB
    variable = "TRACKMATE_TEST_MARIADB_URL"
    account = "mysql"

    @property
    def url(self) -> str:
        return f"mysql://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    def prepare(self) -> None:
        (self.home / "init.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {NAME} CHARACTER SET utf8mb4;\n"
            f"CREATE USER IF NOT EXISTS {NAME}@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {NAME}@'127.0.0.1';\n"
        )
        if self._as_account:
            shutil.chown(self.home / "init.sql", self.account)
        installer = machine.program("mariadb-install-db")
        self._run(installer, "--no-defaults", "--skip-test-db", f"--datadir={self._data}")

    @property
    def command(self) -> list[str]:
        options = {
            "datadir": self._data,
            "socket": self.home / "socket",
            "pid-file": self.home / "pid",
            "init-file": self.home / "init.sql",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "character-set-server": "utf8mb4",
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-doublewrite": 0,
            "innodb-buffer-pool-size": "64M",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [str(self.need.find()), "--no-defaults", *flags, "--skip-name-resolve"]

    def answers(self) -> bool:
        client = machine.program("mariadb")
        options = ["--no-defaults", "--host=127.0.0.1", f"--port={self.port}", f"--user={NAME}"]
        return self._succeeds(client, *options, "-e", "SELECT 1", NAME, MYSQL_PWD=self.password)

    @property
    def _data(self) -> Path:
        return self.home / "data"


KINDS: dict[str, type[Server]] = {"postgresql": Postgres, "mariadb": MariaDB}
