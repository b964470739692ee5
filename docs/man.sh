#!/bin/sh
# Writes the manual page of the program given, from its own help.
set -eu
program=$1

verbatim() {
    printf '.nf\n'
    sed -e 's/\\/\\e/g' -e "s/^\\([.']\\)/\\\\\\&\\1/" -e 's/-/\\-/g'
    printf '.fi\n'
}

overview=$("$program" help)
printf '.TH MIGHTNT 1 "" "%s"\n.SH NAME\n' "$("$program" version)"
printf '%s\n' "$overview" | sed -n -e 's/^mightnt [0-9.]*: /mightnt \\- /p'
printf '.SH DESCRIPTION\n'
printf '%s\n' "$overview" | sed 1,2d | verbatim
for verb in $(printf '%s\n' "$overview" | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    printf '.SH "MIGHTNT %s"\n' "$(printf '%s' "$verb" | tr '[:lower:]' '[:upper:]')"
    "$program" help "$verb" | verbatim
done
