#!/bin/sh

test_description='/metrics: what the services count, for Prometheus

That every figure is in doc/metrics.md, and how values and histograms are written, is covered by the
tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_need_web
test_python PROMETHEUS prometheus_client==0.23.1
test_under_flux 2 full

# scrape PATH: the figures as Prometheus gets them.
scrape() {
	curl -sS -o actual -w "%{http_code} %{content_type}\n" -H "Authorization: Bearer $token" "$url$1"
}

test_expect_success 'they want the token of the page' '
	web_address &&
	test "$(status "$url/metrics")" = 401
'

test_expect_success 'they come as OpenMetrics' '
	flux submit --wait true &&
	held=$(flux submit --urgency=hold true) &&
	scrape /metrics >form &&
	echo "200 application/openmetrics-text; version=1.0.0; charset=utf-8" >expect &&
	test_cmp expect form &&
	test "$(tail -n 1 actual)" = "# EOF"
'

test_expect_success PROMETHEUS 'a program of Prometheus reads all of them' '
	cat >read.py <<-EOF &&
	from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
	found = {family.name: family for family in families(open("actual").read())}
	for name in "flux_jobs", "flux_handler_seconds", "flux_messages", "flux_cpu_seconds":
	    print(name, found[name].type, len(found[name].samples) > 0)
	EOF
	python3 read.py >found &&
	cat >expect <<-EOF &&
	flux_jobs gauge True
	flux_handler_seconds histogram True
	flux_messages counter True
	flux_cpu_seconds counter True
	EOF
	test_cmp expect found
'

# figure NAME{LABELS} VALUE: the last scrape had this value.
figure() {
	test_grep -x -F -e "$1 $2" -e "$1 $2.0" actual
}

test_expect_success 'they tell of jobs, queues, storage and brokers' '
	figure "flux_jobs{rank=\"0\",state=\"sched\"}" 1 &&
	figure "flux_jobs{rank=\"0\",state=\"inactive\"}" 1 &&
	figure "flux_jobs_over{rank=\"0\",result=\"completed\"}" 1 &&
	figure "flux_queue_started{rank=\"0\",queue=\"\"}" 1 &&
	figure "flux_brokers{rank=\"0\",state=\"online\"}" 2 &&
	figure "flux_overlay_children{rank=\"0\",state=\"connected\"}" 1 &&
	figure "flux_scrape_unanswered{rank=\"0\"}" 0 &&
	for name in flux_kvs_commits_total flux_content_store_bytes flux_sched_passes_total \
		flux_orphans_total flux_log_lines_total
	do
		test_grep "^$name{" actual || return 1
	done
'

test_expect_success 'and of each service' '
	for service in broker content kvs job-manager sched-simple web
	do
		test $service = broker ||
			figure "flux_module_running{rank=\"0\",service=\"$service\"}" 1 || return 1
		for name in flux_messages_total flux_handled_seconds_total flux_memory_bytes \
			flux_memory_peak_bytes flux_cpu_seconds_total
		do
			test_grep "^$name{rank=\"0\",service=\"$service\"" actual || return 1
		done
	done &&
	test_grep "^flux_handled_total{rank=\"0\",service=\"job-manager\",cause=\"request job-manager.submit\"} 2" actual
'

test_expect_success 'another broker has its own, and none of the instance' '
	scrape "/metrics?rank=1" >form &&
	test_grep "^200 " form &&
	figure "flux_module_running{rank=\"1\",service=\"job-exec\"}" 1 &&
	test_must_fail grep "^flux_jobs{" actual &&
	test_must_fail grep "rank=\"0\"" actual
'

test_expect_success 'what is not there is refused in words' '
	test "$(status -H "Authorization: Bearer $token" "$url/metrics?rank=x")" = 400 &&
	test "$(status -H "Authorization: Bearer $token" "$url/metrics?color=red")" = 400 &&
	test "$(status -H "Authorization: Bearer $token" "$url/metrics?rank=7")" = 503
'

test_expect_success 'the last job ends' '
	flux cancel $held &&
	wait_event $held clean &&
	flux module remove web
'

test_done
