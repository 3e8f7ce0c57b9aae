#!/bin/sh

test_description='kvs.durability says whether commits survive a loss of power

Covers the key from the configuration to the store: at the start, by a reload, with a wrong
value, and beside the argument of the module. That the disk has what was synced cannot be
shown by a script.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

mkdir conf state

# instance STORE COMMAND...: runs it with the configuration in `conf`.
instance() {
	store=$1
	shift
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/state" \
		-Scontent.backing-module=$store --config-path="$PWD/conf" "$@"
}

durability() {
	printf '[kvs]\ndurability = %s\n' "$1" >conf/kvs.toml
}

cat >mode <<'EOS'
flux module stats $(flux getattr content.backing-module) | sed -n 's/.*"synchronous": "\(.*\)".*/\1/p'
EOS

for store in content-sqlite content-files
do
	test_expect_success "$store: without the key a commit survives the end of any process" "
		rm -f conf/* && echo NORMAL >expect &&
		instance $store sh mode >actual && test_cmp expect actual
	"

	test_expect_success "$store: with \"power\" also a loss of power" "
		durability '\"power\"' && echo FULL >expect &&
		instance $store sh mode >actual && test_cmp expect actual &&
		instance $store flux kvs put a=1 &&
		instance $store flux kvs get a
	"
done

cat >reload <<'EOS'
set -e
sh mode >modes
flux kvs put b=1
echo '[kvs]
durability = "process"' >conf/kvs.toml
flux config reload
sh mode >>modes
flux kvs put b=2
echo '[kvs]
durability = "paper"' >conf/kvs.toml
! flux config reload 2>refusal
sh mode >>modes
flux kvs put b=3
EOS

test_expect_success 'a reload changes it, and one with a wrong value changes nothing' '
	durability "\"power\"" &&
	instance content-sqlite sh reload &&
	printf "FULL\nNORMAL\nNORMAL\n" >expect &&
	test_cmp expect modes &&
	test_grep "kvs.durability: must be process or power" refusal
'

test_expect_success 'a wrong value is refused at the start' '
	durability 1 &&
	test_expect_code 1 instance content-sqlite touch ran 2>err &&
	test_grep "kvs.durability: must be process or power" err &&
	test ! -e ran
'

cat >argument <<'EOS'
set -e
flux module reload content synchronous=EXTRA
sh mode >actual
flux kvs put c=1
EOS

test_expect_success 'the argument of the module comes before the key' '
	durability "\"process\"" && echo EXTRA >expect &&
	instance content-sqlite sh argument &&
	test_cmp expect actual
'

test_done
