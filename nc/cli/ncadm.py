"""`ncadm`: the administrator's client, one command a call."""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console

from nc.cli.printing import Output
from nc.cli.running import (
    DATA_DIR_VARIABLE,
    OperationFailed,
    default_data_dir,
    run,
    run_async,
)
from nc.config import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT
from nc.data_folder import DataFolder
from nc.domain.tokens import DEFAULT_LIFETIME_MINUTES
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki.disk import REAL_DISK, replace_file
from nc.rpc.client import Client, ClientTls
from nc.server import VERSION

PROGRAM = "ncadm"
