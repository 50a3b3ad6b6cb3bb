# shellcheck shell=bash
# Reads .env as Compose does, and refuses what the two would read differently. Sourced by settings.sh.
: "${root:?}"

# Prints the value in the environment or in .env, nothing if neither has one. A variable that is set but empty counts,
# for Compose as well: then the default is meant, whatever .env says.
chosen() { # chosen NAME
  if [ -n "${!1+set}" ]; then
    printf '%s' "${!1}"
    return
  fi
  # As Compose reads it: without quotes, and without a comment behind the value.
  sed -n "s/^$1=//p" "$root/.env" 2>/dev/null | tail -n 1 |
    sed -e 's/[[:space:]]#.*$//' -e 's/[[:space:]]*$//' -e "s/^[\"']\(.*\)[\"']\$/\1/" || true
}

# Ends the script at a line that Compose could read in another way than `chosen`.
refuse_strange_lines() {
  local line number=0 plain='[^"'"'"'`$\#[:space:]]' blank='[[:blank:]]'
  local quoted='"[^"$\#`]*"|'"'[^'\\#]*'"
  local known="^[A-Za-z_][A-Za-z0-9_]*=($plain*($blank+$plain+)*|$quoted)($blank+#.*)?$blank*\$"
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    [[ $line =~ ^$blank*(#.*)?$ ]] || [[ $line =~ $known ]] || {
      printf '%s\n' "$root/.env, line $number: $line" \
        "    is not NAME=value. Without: export, blanks round the =, \$, \\, line ends of Windows, a byte order mark;" \
        "    quotes only round the whole value" >&2
      exit 1
    }
  done <"$root/.env"
}
if [ -f "$root/.env" ]; then refuse_strange_lines; fi
