"""`make bench`: Keepwell beside plain ssh, stock Ansible modules, Mitogen and pyinfra. See docs/performance.md."""
