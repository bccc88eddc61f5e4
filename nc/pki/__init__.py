"""Certificates: what they contain, who signs them, and the folder that keeps them.

    errors        what can be wrong, each with its remedy
    names         texts → subjectAltName entries                     pure
    pem           PEM bytes ↔ certificates and keys                  pure
    certificates  what each kind of certificate contains             pure
    identity      a peer's certificate → its names                   pure
    renewal       when an existing certificate must be signed anew   pure
    authority     a CA: signs certificates
    store         reads and writes the six files of a folder
    folder        opens a folder: uses, makes or renews its files

No clock and no random numbers of its own: the time and the serial numbers come in. Only key pairs
are drawn here, by OpenSSL.
"""
