"""Every method of our services, of services that are not made: a table to look at."""

from nc.rpc.admin.administrators import AdministratorsService
from nc.rpc.admin.events import EventsService
from nc.rpc.admin.history import HistoryService
from nc.rpc.admin.methods import AdminServices, admin_methods
from nc.rpc.admin.nodes import NodesService
from nc.rpc.admin.replicas import ReplicasService
from nc.rpc.admin.server import ServerService
from nc.rpc.admin.tokens import BootstrapTokensService
from nc.rpc.controller import Controller
from nc.rpc.joining import JoiningService, joining_methods
from nc.rpc.methods import Methods, methods_of
from nc.rpc.node.enrolment import EnrolmentService
from nc.rpc.node.methods import node_methods


def served_methods() -> Methods:
    """The methods by path; none of them can be called."""
    services = AdminServices(
        NodesService.__new__(NodesService),
        BootstrapTokensService.__new__(BootstrapTokensService),
        AdministratorsService.__new__(AdministratorsService),
        ReplicasService.__new__(ReplicasService),
        EventsService.__new__(EventsService),
        HistoryService.__new__(HistoryService),
        ServerService.__new__(ServerService),
    )
    return {
        **methods_of(Controller.__new__(Controller)),
        **node_methods(EnrolmentService.__new__(EnrolmentService)),
        **joining_methods(JoiningService.__new__(JoiningService)),
        **admin_methods(services),
    }
