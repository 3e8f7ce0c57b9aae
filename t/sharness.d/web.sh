# web.sh: the web page of an instance, as clients see it.

# test_need_web: ends the script where the module or curl is missing. Call it before any test.
test_need_web() {
	test -x "$(dirname "$test__flux")/flux-module-web" ||
		skip_all='there is no flux-module-web (cargo build -p web)'
	command -v curl >/dev/null || skip_all='there is no curl'
	test -z "$skip_all" || test_done
}

# web_start [ARGUMENT...]: loads the module and sets `url` (without the token) and `token`.
web_start() {
	flux module load web "$@" &&
	web_address
}

# web_address: sets `url` and `token` to those of the page.
web_address() {
	flux web >web.address &&
	url=$(sed 's,/#.*,,' web.address) &&
	token=$(sed 's,.*#,,' web.address)
}

# api NAME [QUERY] [OPTION...]: prints an answer of the API, which must be a good one.
api() {
	test__path=$1
	shift
	curl -sS --fail-with-body -H "Authorization: Bearer $token" "$@" "$url/api/v1/$test__path"
}

# status OPTION...: prints the number that the server answers a request with.
status() {
	curl -sS -o web.answer -w '%{http_code}\n' "$@"
}
