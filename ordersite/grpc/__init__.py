"""The gRPC server, and the client that asks another one. Its contract is contracts/proto/; docs/grpc.md explains it."""
