"""The names of the files in a certificate folder. Importing it loads no cryptography."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FolderPaths:
    ca: Path
    ca_key: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @classmethod
    def within(cls, folder: Path) -> "FolderPaths":
        """Name them as existing LiteKube folders do."""
        return cls(
            ca=folder / "ca.pem",
            ca_key=folder / "ca-key.pem",
            server=folder / "server.pem",
            server_key=folder / "server-key.pem",
            client=folder / "client.pem",
            client_key=folder / "client-key.pem",
        )

    def secrets(self) -> tuple[Path, ...]:
        """Give the three files that hold a secret."""
        return (self.ca_key, self.server_key, self.client_key)

    def everything(self) -> tuple[Path, ...]:
        return (*self.secrets(), self.ca, self.server, self.client)
