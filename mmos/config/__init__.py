"""The configuration room: `orchestration.yaml` read, checked, explained and proposed."""
