"""The import of an upstream LiteKube server: its database and its CAs, into a data folder."""
