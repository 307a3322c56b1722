"""LiveKit's server API: the services of its protobuf files over Twirp (HTTP POST, protobuf or JSON)."""
