"""What the kernel lets these tests do: root in a container often has not every right."""

from pathlib import Path

_EFFECTIVE = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)

# The numbers are those of linux/capability.h: CAP_SYS_ADMIN, CAP_NET_ADMIN.
MAY_MOUNT = bool(_EFFECTIVE >> 21 & 1)
MAY_MAKE_NETWORKS = MAY_MOUNT and bool(_EFFECTIVE >> 12 & 1)
