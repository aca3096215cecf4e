# Everything a developer or a control node needs, in an environment of its own (.venv). Needs make and Python 3.11+.
#
# Recipes name files relative to this folder, so its path may contain spaces.

.DEFAULT_GOAL := help
ARGS ?=
# Said by name, or Ansible ignores the file where the checkout is writable for everyone.
ANSIBLE_CONFIG ?= $(CURDIR)/ansible.cfg
export ANSIBLE_CONFIG

LINTERS := ruff mypy yamllint ansible-lint changelog powershell

.PHONY: help run setup dev test test-here test-lab test-live test-long lint $(LINTERS) check sanity molecule lab-up lab-down bench docs gallery messages clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: setup ## Assess this machine, or ARGS="-i inventories/acme", ARGS="-i hosts.ini -b"
	@.venv/bin/ansible-playbook playbooks/assess.yml $(ARGS)

setup: ## Make .venv with what a control node needs
	@tools/venv.sh requirements.txt

dev: ## Make .venv with what developing needs as well
	@tools/venv.sh requirements-dev.txt

test: test-here test-lab ## Run all tests; ARGS="-k forecast" for some

# 5 is what pytest says when ARGS chose none.
test-here: dev
	.venv/bin/python -m pytest -n 2 --dist loadgroup -m 'not lab and not long and not live' tests $(ARGS) || [ $$? -eq 5 ]

# Apart: they need root and podman. CI runs them beside the others, whatever those find.
test-lab: dev
	.venv/bin/python -m pytest -m 'lab and not long and not live' tests/fleet $(ARGS) || [ $$? -eq 5 ]

test-live: dev ## Patch a host with the real updates of today
	.venv/bin/python -m pytest -m live -rs tests/fleet $(ARGS)

test-long: dev ## Whole runs of patching, and what goes wrong; KEEPWELL_SEED=, KEEPWELL_MOMENTS=
	.venv/bin/python -m pytest -m long -rP tests/fleet tests/unit/plugins/module_utils tests/integration $(ARGS)

lint: $(LINTERS) ## Look at the code without running it: ruff, mypy, yamllint, ansible-lint, changelog, powershell

ruff: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

mypy: dev
	.venv/bin/mypy

yamllint: dev
	.venv/bin/yamllint --strict .

# Finds the other programs of the environment by PATH.
ansible-lint: dev
	PATH="$(CURDIR)/.venv/bin:$$PATH" ansible-lint --offline --strict

changelog: dev
	.venv/bin/antsibull-changelog lint

powershell: dev ## Read every .ps1 and .psm1 for what Windows would refuse; needs npm once
	PYTHONPATH=tools .venv/bin/python -m powershell $(FILES)

check: lint test ## lint and test: what a change has to pass

sanity: dev ## Run ansible-test sanity on a copy of the last commit
	@tools/sanity.sh $(ARGS)

# Runs from here, so that the scenarios find this folder; SCENARIO=patching for one of them.
molecule: dev ## Run the Molecule scenarios over the lab; SCENARIO=patching for one
	MOLECULE_GLOB='extensions/molecule/*/molecule.yml' PATH="$(CURDIR)/.venv/bin:$$PATH" \
	  molecule test $(if $(SCENARIO),--scenario-name $(SCENARIO),--all)

lab-up: dev ## Start real hosts to try things on; ARGS="debian-12=5 el9-emulation" (docs/lab.md)
	@PYTHONPATH=tests/fleet .venv/bin/python -m lab up $(ARGS)

lab-down: dev ## Remove the hosts of lab-up; ARGS=--images removes their images as well
	@PYTHONPATH=tests/fleet .venv/bin/python -m lab down $(ARGS)

bench: dev ## Measure beside plain ssh, stock modules, Mitogen and pyinfra; ARGS="--quick" (docs/performance.md)
	@PYTHONPATH=tests/fleet:tests/windows:collections .venv/bin/python -m bench $(ARGS)

docs: dev ## Write the documents that are made from the code
	.venv/bin/python tools/generate_docs.py
	.venv/bin/python tools/generate_role_readmes.py

gallery: dev ## Make the sample reports of docs/gallery anew; ARGS=--pictures takes their pictures, too
	.venv/bin/python tools/gallery.py $(ARGS)

messages: dev ## Bring the catalogues of translations up to date; prints what has no translation yet
	.venv/bin/python tools/messages.py

clean: ## Remove .venv and caches; state/ stays
	rm -rf .venv .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
