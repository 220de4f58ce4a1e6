"""The gRPC server, and the client of a remote user service. The contract is contracts/proto/; docs/grpc.md explains it.

Calls are answered by the apps' selectors. No rule of the shop is decided here.
"""
