"""Generated from `proto/` by `just proto`; not to be edited.

A descriptor pool of its own: a client's program may load its own copy of the contract beside `nc`.
"""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
