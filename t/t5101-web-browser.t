#!/bin/sh

test_description='the web page in a browser: what it shows, and that it follows what happens

Covers what only a browser shows: the token in the address, every view about a real instance, filters,
changes without a reload, and that nothing on the page is refused by its own policy.
'

. "$(dirname "$0")/sharness.sh"
test_need_web
test_need_browser
test_under_flux 3 full

test_expect_success 'a browser opens the address that flux web prints' '
	web_address &&
	browser start 1100 760 &&
	browser open "$(cat web.address)" &&
	browser see "#live[data-state=live]" live &&
	browser see ".empty" "There are no jobs yet." &&
	browser run "return location.hash" >hash &&
	echo "\"#/jobs\"" >expect &&
	test_cmp expect hash
'

test_expect_success 'jobs come and change without a reload' '
	id=$(flux submit --job-name=worker tail -f /dev/null) &&
	browser see "td.id" $id &&
	browser see "tbody .badge.running" running &&
	flux cancel $id &&
	browser see "tbody .badge.canceled" canceled &&
	browser see "#figures .canceled" canceled
'

test_expect_success 'what users call their jobs is no markup' '
	flux run --job-name="<img src=x onerror=alert(1)>" true &&
	browser see "td.name" "<img src=x onerror=alert(1)>" &&
	test "$(browser count "main img")" = 0
'

test_expect_success 'filters are in the address' '
	flux run --job-name=special true &&
	browser see "td.name" special &&
	browser type "input[name=name]" special &&
	browser gone "td.name" worker &&
	browser see "td.name" special &&
	browser run "return location.hash" >hash &&
	test_grep "name=special" hash &&
	browser click "header nav a[href=\"#/jobs\"]" &&
	browser see "td.name" worker
'

test_expect_success 'a job is shown with its life and its events' '
	browser click "td.id a[href*=\"$(flux jobs -ac1 --name=worker -no {id.f58} | sed s/ƒ/%C6%92/)\"]" &&
	browser see "h1" worker &&
	browser see ".note" "cancel" &&
	browser see "svg.timeline .phase.running" &&
	browser see "table.events" "submit" &&
	browser see "table.events .bad" "exception" &&
	browser see "pre.command" "tail -f /dev/null"
'

test_expect_success 'queues, nodes and rates are shown' '
	browser click "header nav a[href=\"#/queues\"]" &&
	browser see "tbody .badge" open &&
	flux queue stop -m "for a test" &&
	browser see "tbody .badge.failed" stopped &&
	browser see "td .hint" "for a test" &&
	flux queue start &&
	browser click "header nav a[href=\"#/nodes\"]" &&
	browser see "svg.tree .node.idle .host" "2 " &&
	test "$(browser count "svg.tree .node")" = 3 &&
	test "$(browser count "svg.tree .link")" = 2 &&
	flux resource drain 2 "bad fan" &&
	browser see "svg.tree .node.drained .host" "2 " &&
	browser see "td" "bad fan" &&
	flux resource undrain 2 &&
	browser click "header nav a[href=\"#/rates\"]" &&
	browser see "svg.plot rect.completed" "completed" &&
	browser see "figcaption" "Time between submission and start"
'

test_expect_success 'nothing is wider than a phone but what scrolls by itself' '
	browser size 390 800 &&
	for view in jobs queues nodes rates
	do
		browser open "$url/#/$view" &&
		browser see "main h1" &&
		test "$(browser run "return document.documentElement.scrollWidth")" -le 390 || return 1
	done
'

test_expect_success 'the browser has nothing to complain of' '
	browser errors >errors &&
	test_cmp /dev/null errors
'

test_expect_success 'without the token the page asks for it' '
	browser run "sessionStorage.clear()" &&
	browser open "$url/" &&
	browser see "h1" "This page needs its token" &&
	browser type "input[name=token]" "$(cat web.address)" &&
	browser see "#live[data-state=live]"
'

test_expect_success 'a page that is taken away is told, and found again' '
	port=${url##*:} &&
	flux module remove web &&
	browser see "#live[data-state=off]" "not connected" &&
	flux module load web port=$port &&
	browser see "#live[data-state=live]" "live"
'

browser stop
flux module remove web
test_done
