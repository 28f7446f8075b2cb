#!/bin/bash
# As many seeds as the time allows, other ones each day; a failure prints its seed.
set -eu
sim=$1
minutes=${KVS_SOAK_MINUTES:-10}
exec "$sim" --seed "$(date +%Y%m%d)000000" --rounds 1000000000 --seconds $((minutes * 60))
