"""The composition root: settings, data folder, certificates and background tasks of a server."""
