#!/bin/sh
# The work of an instance: submits jobs, waits for all of them, and ends with their worst code.
set -e
flux submit --cc=1-8 --ntasks=1 sh -c 'echo "$FLUX_JOB_CC on $(uname -n)"' >ids
flux queue drain
for id in $(cat ids)
do
	flux job attach "$id"
done
