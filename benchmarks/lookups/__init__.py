"""One person looked up by id, in four ways: a call in the process, gRPC, REST, and a queue with an answer."""
