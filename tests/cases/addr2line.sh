# Writes to $2 what addr2line says of every instruction in $1 (the output of `rbtrace lines -f tsv FUNC`), in the
# same form: offset, functions from the innermost outwards, places.
# FUNC's address in the file is found by its distance from _text, which the kernel may have moved.

low() { sed -n "s/^ffffffff\([0-9a-f]*\) [a-zA-Z] $1\$/\1/p" /proc/kallsyms | head -1; }

addr2line_of() { # TSV OUT FUNC
  base=$((0x$(low "$3") - 0x$(low _text) + 0x81000000))
  cut -f1 "$1" | while read -r offset; do printf 'ffffffff%08x\n' $((base + offset)); done > "$2.addresses"
  addr2line -i -f -a -e "/usr/lib/debug/boot/vmlinux-$(uname -r)" < "$2.addresses" |
    sed 's/ (discriminator [0-9]*)$//; s,^/build/[^/]*/linux-[^/]*/,,' |
    awk -v tsv="$1" '
      function flush() { if (n) { getline line < tsv; split(line, f, "\t"); print f[1] "\t" funcs "\t" places } }
      /^0x/ { flush(); n++; funcs = places = ""; odd = 1; next }
      odd { funcs = funcs (funcs == "" ? "" : ";") $0; odd = 0; next }
      { places = places (places == "" ? "" : ";") $0; odd = 1 }
      END { flush() }' > "$2"
}
