#!/bin/bash
# The tour with amqp-tools (librabbitmq): tour.sh [PORT]. Says "tour passed" or fails. See docs/development.md.
set -euo pipefail
url="amqp://guest:guest@127.0.0.1:${1:-5672}"
q="tour.$$"

check() {
  if [ "$1" != "$2" ]; then
    echo "failed: $3: '$1' is not '$2'" >&2
    exit 1
  fi
  echo "ok  $3"
}

check "$(amqp-declare-queue -u "$url" -q "$q" -d)" "$q" "declare"
amqp-publish -u "$url" -r "$q" -p -C text/plain -b one
check "$(amqp-get -u "$url" -q "$q")" "one" "publish, get"
printf 'two\nthree\n' | amqp-publish -u "$url" -r "$q" -l
check "$(amqp-consume -u "$url" -q "$q" -c 2 -p 1 cat | tr '\n' ,)" "two,three," "publish line by line, consume with prefetch"
amqp-consume -u "$url" -e amq.topic -r 'a.#' -c 1 cat > "/tmp/$q" & consumer=$!
for _ in $(seq 100); do
  amqp-publish -u "$url" -e amq.topic -r a.b -b routed
  if ! kill -0 "$consumer" 2> /dev/null; then break; fi
  sleep 0.1
done
wait "$consumer"
check "$(cat "/tmp/$q")" "routed" "consume from an exchange with a queue of the server's name"
rm "/tmp/$q"
if amqp-get -u "$url" -q "$q.none" 2> /dev/null; then echo "failed: get from no queue" >&2; exit 1; fi
echo "ok  get from no queue is refused"
check "$(amqp-delete-queue -u "$url" -q "$q")" "0" "delete"
echo "tour passed"
