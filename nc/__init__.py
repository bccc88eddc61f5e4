"""The network controller: lets machines into an overlay network, and knows where they are."""
