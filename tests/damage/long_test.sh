#!/bin/bash
# As many random damages of a large database as the time allows; a failure names file and place.
set -eu
export KVS_SOAK_MINUTES=${KVS_SOAK_MINUTES:-10}
exec "$1"
