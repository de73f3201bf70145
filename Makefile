# make demo   the 13 documented call flows between real UDP sockets, with their ladders
# make test   everything that is checked; also each step alone: make clippy interop ...
#
# What a step needs and the machine lacks is installed where that can be done (apt as root, pip into
# build/venv, cargo into build/tools), else the step is skipped and the summary says why.

STEPS := fmt clippy rust-tests docs bare-metal header-check c-tests python-tests demo-check \
         interop phones torture-wire bench fuzz-short
MORE_STEPS := interop-full size bench-proxy fuzz-long deny

.PHONY: help demo test clean $(STEPS) $(MORE_STEPS)

help:
	@echo "make demo    call flows between three sockets on 127.0.0.1"
	@echo "make test    all checks: $(STEPS)"
	@echo "further:     $(MORE_STEPS) clean (make interop runs the steps interop and phones)"

demo:
	@ci/demo.sh

test:
	@ci/test.sh $(STEPS)

$(filter-out interop,$(STEPS)) $(MORE_STEPS):
	@ci/test.sh $@

interop:
	@ci/test.sh interop phones

clean:
	cargo clean
	rm -rf build fuzz/target fuzz/artifacts
