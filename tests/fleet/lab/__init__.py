"""The lab: real hosts for tests, as containers with systemd and sshd, reached over real SSH. See docs/lab.md."""
